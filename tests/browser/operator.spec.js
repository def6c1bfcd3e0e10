// The operator's board: what is wrong, and acting on it with a reason; each act shows the event it wrote.
import { test, expect, serve } from "./support/test.js";
import { scanEverywhere } from "./support/axe.js";
import { PORTAL } from "./support/portal.js";

const server = serve();

test("intake is paused and opened again; the portal says so, the board shows the event", async ({ visit }) => {
  const operator = await visit(server, "operator@platform");
  const admin = await visit(server, "client_admin@acme");
  await admin.goto(PORTAL);
  for (const [act, event] of [["pause_intake", "intake_paused"], ["resume_intake", "intake_resumed"]]) {
    await operator.goto(`/operator/act/${act}`);
    await operator.getByLabel("Reason").fill("a test of the board");
    await operator.locator(".sheet button[type=submit]").click();
    const written = operator.locator(".notice.written");
    await expect(written).toContainText(event);
    await expect(written).toContainText("a test of the board");
    const paused = act === "pause_intake";
    await expect(admin.locator("#why-not")).toHaveCount(paused ? 1 : 0);
    if (paused) await expect(admin.locator("#why-not")).toContainText("The operators have paused new exports.");
  }
});

test("board and forms are accessible in light and dark, on desktop and phone", async ({ visit }) => {
  const page = await visit(server, "operator@platform");
  await page.goto("/operator");
  await scanEverywhere(page, "board");
  await page.goto("/operator/act/pause_intake");
  await scanEverywhere(page, "an act");
});
