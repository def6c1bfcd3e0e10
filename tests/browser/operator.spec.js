// The operator's board: what is wrong, and acting on it with a reason; each act shows the event it wrote.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test, expect, serve } from "./support/test.js";
import { scanEverywhere } from "./support/axe.js";
import { follow } from "./support/click.js";
import { carryOut } from "./support/operator.js";
import { PORTAL, start, completed, row, job } from "./support/portal.js";

const LIMIT = 3;
const server = serve({ CARNET__LIMITS__PER_TENANT__ACCEPTED: String(LIMIT) });
const OPERATOR = "operator@platform";
const ADMIN = "client_admin@acme";

// The later ones look at what the earlier ones left.
test.describe.configure({ mode: "serial" });
let kept, failed;

test("intake is paused and opened again; the portal says so, the board shows the event", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, ADMIN);
  await admin.goto(PORTAL);
  for (const [act, event] of [["Pause", "intake_paused"], ["Resume", "intake_resumed"]]) {
    await operator.goto("/operator");
    await follow(operator.locator("#intake-link").filter({ hasText: act }));
    await carryOut(operator, event);
    const paused = act === "Pause";
    await expect(admin.locator("#why-not")).toHaveCount(paused ? 1 : 0);
    if (paused) await expect(admin.locator("#why-not")).toContainText("The operators have paused new exports.");
  }
});

test("a drained node starts nothing, and works again when told to", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, ADMIN);
  await operator.goto("/operator");
  const nodes = operator.locator("#nodes");
  await follow(nodes.getByRole("link", { name: "Drain" }));
  await carryOut(operator, "drain_started");
  await expect(nodes.locator(".status")).toHaveText("Draining");
  await expect(operator.locator('[sse-swap="verdict"]')).toContainText("is draining");

  kept = await start(admin, ["configurations"]);
  await expect(job(admin, kept).locator(".status.queued")).toBeVisible();
  await expect(job(admin, kept)).toContainText("waits: the service is being prepared for maintenance");
  await follow(nodes.getByRole("link", { name: "Let it work again" }));
  await carryOut(operator, "drain_ended");
  await expect(nodes.locator(".status")).toHaveText("Working");
  await completed(admin, kept);
});

test("an export is failed, another like it admitted, and that one requeued while it runs", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, ADMIN);
  server.dawdle("acme");
  failed = await start(admin);
  await expect(job(admin, failed).locator(".status.running")).toBeVisible();
  // The list may be a moment behind what happens, and doesn't renew itself.
  const listed = async () => {
    await operator.goto("/operator/exports?status=running");
    return operator.locator(`#x-${failed}`).count();
  };
  await expect.poll(listed).toBe(1);
  await operator.locator(`#x-${failed}`).click();
  await operator.getByRole("link", { name: "Fail", exact: true }).click();
  await expect(operator.locator(".sheet .subject")).toContainText("acme");
  await carryOut(operator, "failed");
  await expect(operator.locator("dl.facts .status.failed").first()).toBeVisible();
  await expect(row(admin, failed).locator(".status.failed")).toBeVisible();

  await operator.getByRole("link", { name: "Admit another like it" }).click();
  await carryOut(operator, "requested");
  await expect(operator.getByRole("link", { name: failed })).toBeVisible();
  const again = new URL(operator.url()).pathname.split("/").pop();
  expect(again).not.toBe(failed);
  await expect(job(admin, again).locator(".status.running")).toBeVisible();
  server.hurry();
  await operator.getByRole("link", { name: "Requeue" }).click();
  await carryOut(operator, "requeued");
  await completed(admin, again);
  await operator.goto(`/operator/exports/${again}`);
  const attempts = operator.locator("section").filter({ has: operator.getByRole("heading", { name: "Attempts" }) });
  await expect(attempts.locator("tbody tr")).toHaveCount(2);
  await expect(attempts.locator("tbody tr").last()).toContainText("completed");
});

test("an exemption opens the button of a tenant that has used up its limit, for as many requests as were granted", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, "client_admin@globex");
  for (let asked = 0; asked < LIMIT; asked++) await completed(admin, await start(admin, ["configurations"]));
  const why = admin.locator("#why-not");
  await expect(why).toContainText("Your organisation has used up its exports for now.");

  await operator.goto("/operator/tenants/globex");
  await operator.getByRole("row", { name: /Whole tenant/ }).getByRole("link", { name: "Exempt" }).click();
  await expect(operator.getByLabel("Requests")).toHaveValue("1");
  await carryOut(operator, "exemption_granted");
  await expect(operator.getByText(/Whole tenant: 1 request until/)).toBeVisible();
  await expect(why).toHaveCount(0);
  await expect(admin.locator(".limits")).toContainText("1 more by exemption");
  await completed(admin, await start(admin, ["configurations"]));
  await expect(why).toContainText("Your organisation has used up its exports for now.");
  await operator.reload();
  await expect(operator.getByText("None is open.")).toBeVisible();
});

test("a closed tenant can neither ask nor download, until it is opened again", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, ADMIN);
  const download = async () => (await admin.request.get(`/api/account-exports/${kept}/download`)).status();
  await admin.goto(PORTAL);
  await operator.goto("/operator");
  await operator.getByRole("searchbox").fill("acme");
  await operator.getByRole("button", { name: "Find" }).click();
  await operator.getByRole("link", { name: "Close", exact: true }).click();
  await carryOut(operator, "closed");
  await expect(admin.locator("#why-not")).toContainText("Exports are closed for your organisation.");
  await expect(admin.getByRole("button", { name: "Start export" })).toHaveAttribute("aria-disabled", "true");
  await expect(row(admin, kept)).toContainText("Can't be downloaded while exports are closed");
  await expect(row(admin, kept).getByRole("link", { name: "Download" })).toHaveCount(0);
  expect(await download()).toBe(403);
  await operator.getByRole("link", { name: "Reopen" }).click();
  await carryOut(operator, "reopened");
  await expect(admin.locator("#why-not")).toHaveCount(0);
  await expect(row(admin, kept).getByRole("link", { name: "Download" })).toBeVisible();
  expect(await download()).toBe(200);
});

test("a tenant is cancelled with what follows spelled out, and comes back", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  await operator.goto("/operator/tenants/globex");
  await operator.getByRole("link", { name: "Cancel", exact: true }).click();
  await expect(operator.locator(".sheet")).toContainText("Every file of its exports is deleted");
  await operator.getByLabel("Days of grace").fill("14");
  await carryOut(operator, "cancelled");
  await operator.getByRole("link", { name: "Take the cancellation back" }).click();
  await carryOut(operator, "reactivated");
  await expect(operator.getByRole("link", { name: "Cancel", exact: true })).toBeVisible();
});

test("a projection is filled again, and its board goes on meanwhile", async ({ visit }) => {
  const page = await visit(server, OPERATOR);
  await page.goto("/operator");
  await follow(page.locator("#rebuild-exports"));
  await expect(page.locator(".sheet .subject")).toContainText("exports");
  await carryOut(page, "rebuild_requested");
  const line = page.locator("#history tbody tr").filter({ hasText: /^exports/ });
  // Beside its state it says for how long it is still filled.
  await expect(line.locator(".status")).toHaveText(["Live"]);
  await page.goto("/operator/exports");
  await expect(page.locator(`#x-${kept}`)).toBeVisible();
});

test("a storage that broke, and one that was mended, is known at once by “Verify now”", async ({ visit }) => {
  const operator = await visit(server, OPERATOR);
  const admin = await visit(server, ADMIN);
  const files = join(server.folder, "data", "artifacts");
  await admin.goto(PORTAL);
  await operator.goto("/operator");
  const state = operator.locator("#storages .status");
  await expect(state).toHaveText("Verified");
  renameSync(files, `${files}.away`);
  writeFileSync(files, "not a folder");
  try {
    await operator.getByRole("button", { name: "Verify now" }).click();
    await expect(state).toHaveText("Doesn't work");
    await expect(operator.locator('[sse-swap="verdict"]')).toContainText("doesn't work");
    await expect(admin.locator("#why-not")).toContainText("The place where files are kept isn't working.");
  } finally {
    rmSync(files);
    renameSync(`${files}.away`, files);
  }
  await operator.getByRole("button", { name: "Verify now" }).click();
  await expect(state).toHaveText("Verified");
  await expect(admin.locator("#why-not")).toHaveCount(0);
});

test("without scripts: an act asks for its reason, and is done with one", async ({ visit }) => {
  const page = await visit(server, OPERATOR, { javaScriptEnabled: false, expected: [/status of 400/] });
  await page.goto(`/operator/exports/${kept}`);
  for (const [name, event] of [["Hold the file", "held"], ["Release the hold", "hold_released"]]) {
    await page.getByRole("link", { name }).click();
    await page.getByLabel("Reason").fill("   ");
    await page.locator(".sheet button[type=submit]").click();
    await expect(page.getByRole("alert")).toContainText("Nothing was done. Give a reason.");
    await carryOut(page, event);
  }
});

test("board, lists, one export, one tenant and forms are accessible in light and dark, on desktop and phone", async ({ visit }) => {
  test.slow();
  const page = await visit(server, OPERATOR);
  for (const [path, name] of [
    ["/operator", "board"],
    ["/operator/exports", "exports"],
    ["/operator/exports?code=nothing", "no exports"],
    [`/operator/exports/${failed}`, "a failed export"],
    ["/operator/tenants/globex", "a tenant"],
    ["/operator/act/pause_intake", "an act"],
    ["/operator/act/exempt?tenant=globex", "an exemption"],
    ["/operator/act/cancel_tenant?tenant=globex", "a cancellation"],
  ]) {
    await page.goto(path);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
    await scanEverywhere(page, name);
  }
});
