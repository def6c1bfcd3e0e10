// Every page in every state: usable with assistive technology, in light and dark, on desktop and phone, by keyboard alone.
import { test, expect, serve } from "./support/test.js";
import { scanEverywhere, tabTo, unfold } from "./support/axe.js";
import { PORTAL, start, submit, completed, row, job } from "./support/portal.js";

const server = serve({ CARNET__LIMITS__PER_USER__ACCEPTED: "4" });

test.describe.configure({ mode: "serial" });
let id;

test("signing in, signing out, and what isn't there", async ({ visit }) => {
  const page = await visit(server, undefined, { expected: [/status of 404/] });
  await page.goto("/demo/sign-in");
  await scanEverywhere(page, "sign-in");
  await page.locator('button[value="member@acme"]').click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("Not found");
  await scanEverywhere(page, "not found");
  await page.goto("/signed-out");
  await scanEverywhere(page, "signed out");
});

test("the portal by keyboard alone: sign in, start, download", async ({ visit }) => {
  const page = await visit(server, undefined);
  await page.goto("/sign-in");
  await tabTo(page, page.locator('button[value="client_admin@acme"]'));
  await page.keyboard.press("Enter");
  await page.waitForURL(/section=data-exports/);
  await expect(page.getByRole("heading", { level: 1, name: "Data exports" })).toBeVisible();
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: /skip/i })).toBeFocused();
  await page.keyboard.press("Enter");
  await tabTo(page, page.getByLabel("Audit events"));
  await page.keyboard.press("Space");
  await page.reload();
  await page.getByLabel("Audit events").uncheck();
  await tabTo(page, page.getByRole("button", { name: "Start export" }));
  // The browser saves the file by itself first.
  const saved = page.waitForEvent("download", { timeout: 120_000 });
  await page.keyboard.press("Enter");
  await page.waitForURL(/notice=started/);
  await saved;
  const download = page.locator("table.history").getByRole("link", { name: "Download" }).first();
  await download.waitFor();
  await tabTo(page, download);
  await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
});

test("the portal: empty, under way, asking, finished, refused, used up", async ({ visit }) => {
  const empty = await visit(server, "client_admin@globex");
  await empty.goto(PORTAL);
  await scanEverywhere(empty, "portal, empty");

  const page = await visit(server, "client_admin@acme", { expected: [/status of 400/] });
  server.dawdle("acme");
  const long = await start(page);
  await expect(job(page, long).locator(".status.running")).toBeVisible();
  await scanEverywhere(page, "portal, under way");
  await page.goto(`/settings/data-exports/${long}`);
  await scanEverywhere(page, "details, under way");
  await page.goto(`/settings/data-exports/${long}/cancel`);
  await scanEverywhere(page, "cancelling");
  await page.getByRole("button", { name: /Cancel the export/ }).click();
  await expect(row(page, long).locator(".status.cancelled")).toBeVisible();
  server.hurry();

  id = await start(page, ["configurations"]);
  await completed(page, id);
  await unfold(page);
  await scanEverywhere(page, "portal, finished");
  for (const box of await page.locator('[name="categories"]').all()) await box.uncheck();
  expect((await submit(page)).status()).toBe(400);
  await expect(page.getByRole("alert")).toBeVisible();
  await scanEverywhere(page, "portal, refused");
  await page.goto(`${PORTAL}&status=expired`);
  await scanEverywhere(page, "portal, nothing of this status");
  await completed(page, await start(page, ["configurations"]));
  await page.goto(PORTAL);
  await expect(page.locator("#start")).toHaveAttribute("aria-disabled", "true");
  await scanEverywhere(page, "portal, used up");
});

test("one export's details, with a link", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  await page.goto(`/settings/data-exports/${id}`);
  await page.getByRole("button", { name: "Make a link" }).click();
  await expect(page.locator("#new-link")).toBeVisible();
  await scanEverywhere(page, "details");
});

test("the auditor's desk: the log, a record, mistakes, nothing found, one export", async ({ visit }) => {
  const page = await visit(server, "auditor@acme", { expected: [/status of 400/] });
  await page.goto("/audit");
  await unfold(page);
  await page.locator("a.open").first().click();
  await expect(page.getByText("Schema version")).toBeVisible();
  await scanEverywhere(page, "log");
  await page.goto("/audit?type=nonsense&from=yesterday&principal=nobody&export_id=1");
  await scanEverywhere(page, "log, mistakes");
  await page.goto("/audit?type=tenant_purged");
  await scanEverywhere(page, "log, nothing found");
  await page.goto(`/audit/exports/${id}`);
  await page.locator("#state details > summary").first().click();
  await scanEverywhere(page, "one export");
});

test("who wants less motion gets none", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme", { reducedMotion: "reduce" });
  for (const path of [PORTAL, "/audit"]) {
    await page.goto(path);
    const moving = await page.evaluate(() => {
      const moves = ({ animationName, animationDuration, transitionDuration }) =>
        (animationName !== "none" && parseFloat(animationDuration) > 0.01) || parseFloat(transitionDuration) > 0.01;
      return [...document.querySelectorAll("*")].filter((element) => moves(getComputedStyle(element))).map((element) => element.outerHTML.slice(0, 80));
    });
    expect(moving).toEqual([]);
  }
});

test("times are shown where the viewer is, with UTC to be had", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme", { timezoneId: "Asia/Tokyo" });
  await page.goto(PORTAL);
  const time = row(page, id).locator("time").first();
  const at = await time.getAttribute("datetime");
  const there = new Intl.DateTimeFormat("en-GB", { timeStyle: "short", timeZone: "Asia/Tokyo" }).format(new Date(at));
  await expect(time).toContainText(there);
  await expect(time).toHaveAttribute("title", /UTC$/);
});
