// A first visit loads little: every page, with all that it needs, is under 150 KB on the way.
import { test, expect, serve } from "./support/test.js";
import { PORTAL, start, completed } from "./support/portal.js";

const server = serve();
const MOST = 150_000;

test("every page is light on a first visit", async ({ visit }, info) => {
  const admin = await visit(server, "client_admin@acme");
  const id = await start(admin);
  await completed(admin, id);
  for (const [person, path] of [
    [undefined, "/demo/sign-in"],
    ["client_admin@acme", PORTAL],
    ["client_admin@acme", `/settings/data-exports/${id}`],
    ["auditor@acme", "/audit"],
    ["auditor@acme", `/audit/exports/${id}`],
    ["operator@platform", "/operator"],
  ]) {
    const page = await visit(server, person);
    const bytes = await weigh(page, path);
    info.annotations.push({ type: "weight", description: `${path}: ${bytes} bytes` });
    expect(bytes, path).toBeLessThan(MOST);
    expect(bytes, "nothing was weighed").toBeGreaterThan(5_000);
  }
});

/** The bytes that a first visit of `path` brings, headers included. */
async function weigh(page, path) {
  const client = await page.context().newCDPSession(page);
  await client.send("Network.enable");
  await client.send("Network.setCacheDisabled", { cacheDisabled: true });
  let bytes = 0;
  const loading = new Set();
  // A page's stream goes on for as long as it is looked at.
  client.on("Network.requestWillBeSent", ({ requestId, type }) => type !== "EventSource" && loading.add(requestId));
  client.on("Network.loadingFailed", ({ requestId }) => loading.delete(requestId));
  client.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => {
    loading.delete(requestId);
    bytes += encodedDataLength;
  });
  await page.goto(path);
  await expect.poll(() => loading.size).toBe(0);
  return bytes;
}
