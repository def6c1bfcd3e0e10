// How the browser tests are run. The browser is the system's: one that a test tool would download is not needed.
import { defineConfig } from "@playwright/test";

// Chromium asks its maker's servers for many things by itself; here it may only speak to the pages under test.
const quiet = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--disable-gpu",
  "--no-first-run",
];

export default defineConfig({
  testDir: ".",
  testMatch: process.env.CARNET_SCREENSHOTS ? "screenshots.js" : "*.spec.js",
  outputDir: "results",
  // A file has one server and its tests build on each other's exports; files share nothing.
  workers: 2,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  // For a machine that is slow and shared: where all is well, nothing is waited for so long.
  timeout: 300_000,
  expect: { timeout: 60_000 },
  reporter: [["list"]],
  use: {
    browserName: "chromium",
    launchOptions: {
      executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
      chromiumSandbox: false,
      args: quiet,
    },
    viewport: { width: 1280, height: 900 },
    locale: "en-GB",
    timezoneId: "UTC",
    actionTimeout: 60_000,
    navigationTimeout: 60_000,
    trace: "off",
    screenshot: "only-on-failure",
  },
});
