// Members who may export: their own exports alone, one for the whole tenant per hour, and never a word of who else asked.
import { join } from "node:path";
import { test, expect, serve } from "./support/test.js";
import { follow } from "./support/click.js";
import { carryOut } from "./support/operator.js";
import { PORTAL, start, completed, row, job, newest } from "./support/portal.js";

// One worker, so that an export can be kept waiting for as long as it is looked at.
const server = serve({
  CARNET__WORKERS__MAX_RUNNING: "1",
  CARNET__LIMITS__REQUEST_ROLES: '["client_admin", "member"]',
  CARNET__LIMITS__PER_TENANT: '{ accepted = 1, window = "1h" }',
});

test.describe.configure({ mode: "serial" });
let first;

/** A second member, whom the demo has no card for: signed in by a token. */
async function visitOther(visit, options) {
  const config = join(server.folder, "carnet.toml");
  const { said } = server.run("token", "--config", config, "--tenant", "acme", "--user", "nia", "--role", "member");
  return visit(server, undefined, { ...options, extraHTTPHeaders: { authorization: `Bearer ${said.trim()}` } });
}

/** Nothing on the page tells whose export there is, or which. */
async function tellsNothingOf(page, person, id) {
  const all = await page.content();
  expect(all).not.toMatch(new RegExp(`\\b${person}\\b`));
  expect(all).not.toContain(id);
}

test("a member exports what needs no permission, and others see only that somebody does", async ({ visit }) => {
  const member = await visit(server, "member@acme");
  const other = await visitOther(visit);
  await other.goto(PORTAL);
  await member.goto(PORTAL);
  await expect(member.getByLabel("Users")).toHaveCount(0);
  const elsewhere = await visit(server, "client_admin@globex");
  server.dawdle("globex");
  const blocking = await start(elsewhere);
  await expect(job(elsewhere, blocking).locator(".status.running")).toBeVisible();
  first = await start(member);
  await expect(job(member, first).locator(".status.queued")).toBeVisible();

  await expect(other.locator("li.job")).toContainText("started by somebody else");
  const button = other.getByRole("button", { name: "Start export" });
  await expect(button).toHaveAttribute("aria-disabled", "true");
  await expect(button).toHaveAccessibleDescription(/somebody else started is under way/);
  await expect(other.locator("li.job").getByRole("link")).toHaveCount(0);
  await tellsNothingOf(other, "max", first);
  await follow(job(elsewhere, blocking).getByRole("link", { name: "Cancel" }));
  await elsewhere.getByRole("button", { name: "Cancel the export" }).click();
  await completed(member, first);
});

test("the tenant's one export per hour is used up for all of them, with the time of the next", async ({ visit }) => {
  const member = await visit(server, "member@acme");
  const other = await visitOther(visit);
  for (const page of [member, other]) {
    await page.goto(PORTAL);
    const button = page.getByRole("button", { name: "Start export" });
    await expect(button).toHaveAttribute("aria-disabled", "true");
    await expect(button).toHaveAccessibleDescription(/Your organisation has used up its exports for now\..*Next possible/);
    await expect(page.locator("#why-not b time")).toHaveCount(1);
    await expect(page.locator(".limits")).toContainText("0 of 1 left for acme per hour");
  }
  await expect(row(member, first).getByRole("link", { name: "Download" })).toBeVisible();
  await expect(other.getByText("No exports yet.")).toBeVisible();
  await tellsNothingOf(other, "max", first);
});

test("each member sees and has their own alone, an admin everybody's", async ({ visit }) => {
  const operator = await visit(server, "operator@platform");
  await operator.goto("/operator/act/exempt?tenant=acme");
  await carryOut(operator, "exemption_granted");
  const other = await visitOther(visit, { expected: [/status of 404/] });
  const second = await start(other, ["configurations"]);
  await completed(other, second);
  const member = await visit(server, "member@acme", { expected: [/status of 404/] });
  for (const [page, own, foreign] of [[member, first, second], [other, second, first]]) {
    await page.goto(PORTAL);
    await expect(page.locator("table.history tbody tr")).toHaveCount(1);
    await expect(row(page, own)).toBeVisible();
    expect(await newest(page)).toBe(own);
    for (const path of [`/settings/data-exports/${foreign}`, `/api/account-exports/${foreign}/download`]) {
      expect([path, (await page.request.get(path)).status()]).toEqual([path, 404]);
    }
  }
  const admin = await visit(server, "client_admin@acme");
  await admin.goto(PORTAL);
  await expect(row(admin, first)).toContainText("max");
  await expect(row(admin, second)).toContainText("nia");
});
