// The portal: asking for an export, watching it, having the file; and what stands in the way.
import { readFileSync } from "node:fs";
import { test, expect, serve } from "./support/test.js";
import { follow, save } from "./support/click.js";
import { carryOut } from "./support/operator.js";
import { PORTAL, start, press, submit, completed, row, job, newest } from "./support/portal.js";

/** How many exports a person may start. */
const LIMIT = 9;
const server = serve({ CARNET__LIMITS__PER_USER__ACCEPTED: String(LIMIT) });
/** Rows that make a file of many blocks. */
const MANY = 90_000;
const A_SECOND = 1_000;
const AN_HOUR = 3_600 * A_SECOND;

test.beforeAll(() => server.grow("acme", MANY));

test("one click: each step is shown without a reload, the browser saves the file, and it is intact", async ({ visit }, info) => {
  const page = await visit(server, "client_admin@acme");
  const downloads = [];
  page.on("download", (download) => downloads.push(download));
  await page.goto(PORTAL);
  await expect(page.getByRole("heading", { level: 1, name: "Data exports" })).toBeVisible();
  server.dawdle("acme");
  const id = await press(page);
  await page.evaluate(() => { globalThis.stayed = true; });

  await expect(job(page, id).locator(".status.running")).toBeVisible();
  await expect(job(page, id)).toContainText(/[1-9][\d,]* rows/);
  await expect(page.getByRole("button", { name: "Start export" })).toHaveAttribute("aria-disabled", "true");
  server.hurry();
  await beginAnew(visit, id);
  await completed(page, id);
  await expect(page.getByRole("button", { name: "Start export" })).not.toHaveAttribute("aria-disabled");
  await expect(row(page, id)).toContainText(/[\d,]{7} rows/);
  expect(await page.evaluate(() => globalThis.stayed)).toBe(true);
  await expect.poll(() => downloads.length).toBe(1);
  await intact(downloads[0], id, info);

  // A reload neither says it again nor saves it again, and its stream isn't asked to.
  const [live] = await Promise.all([page.waitForRequest(/data-exports\/live/), page.reload()]);
  expect(new URL(live.url()).searchParams.has("save")).toBe(false);
  await expect(page.locator("[data-save]")).toHaveCount(0);
  expect(downloads).toHaveLength(1);
  const again = await save(row(page, id).getByRole("link", { name: "Download" }));
  await intact(again, id, info);
});

/** Has an export that is read slowly read from the beginning, at the speed of now. */
async function beginAnew(visit, id) {
  const operator = await visit(server, "operator@platform");
  await operator.goto(`/operator/act/requeue?export=${id}`);
  await carryOut(operator, "requeued");
}

async function intact(download, id, info) {
  const file = info.outputPath(download.suggestedFilename());
  await download.saveAs(file);
  expect(download.suggestedFilename()).toContain(id);
  expect(server.run("verify", file)).toMatchObject({ code: 0 });
}

test("details show the booklet, the manifest, and how to check the file", async ({ visit }, info) => {
  const page = await visit(server, "client_admin@acme");
  const id = await start(page, ["configurations"]);
  await completed(page, id);
  await follow(row(page, id).getByRole("link", { name: "Details" }));
  for (const name of ["File", "What is in it", "Who had the file", "What happened", "How to check the file"]) {
    await expect(page.getByRole("heading", { name, exact: true })).toBeVisible();
  }
  await expect(page.locator("#checksum")).toHaveText(/^sha256:[0-9a-f]{64}$/);
  const download = await save(page.getByRole("link", { name: /Download as stored/ }));
  const file = info.outputPath("stored.json.gz");
  await download.saveAs(file);
  expect([...readFileSync(file).subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  expect(server.run("verify", file)).toMatchObject({ code: 0 });
  await page.reload();
  await expect(page.getByRole("region", { name: "Who had the file" })).toContainText("you");
});

test("a link is made, copied, used by a stranger, and ended", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme", { permissions: ["clipboard-read", "clipboard-write"] });
  const id = await start(page, ["configurations"]);
  await completed(page, id);
  await follow(row(page, id).getByRole("link", { name: "Link" }));
  await page.getByRole("button", { name: "Make a link" }).click();
  const link = await page.locator("#new-link").textContent();
  // It says so for two seconds; here they last for as long as it takes to look.
  await page.clock.install();
  await page.clock.pauseAt(Date.now() + AN_HOUR);
  await page.getByRole("button", { name: "Copy" }).first().click();
  await expect(page.getByRole("button", { name: "Copied" })).toBeVisible();
  expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(link);
  await page.clock.runFor(2 * A_SECOND);
  await expect(page.getByRole("button", { name: "Copied" })).toHaveCount(0);
  await page.clock.resume();

  const stranger = await visit(server, undefined);
  const used = await stranger.request.get(link);
  expect([used.status(), used.headers()["cache-control"]]).toEqual([200, "no-store"]);
  await page.getByRole("button", { name: "End all links" }).click();
  await expect(page.getByRole("status").filter({ hasText: "The links have ended." })).toBeVisible();
  expect((await stranger.request.get(link)).status()).toBe(404);
});

test("a running export is cancelled, after a question", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  server.dawdle("acme");
  const id = await start(page);
  await expect(job(page, id).locator(".figures")).toContainText(/[1-9][\d,]* rows/);
  await pressThroughRenewal(page, job(page, id).getByRole("link", { name: "Cancel" }));
  await expect(page.getByRole("heading", { name: "Cancel this export?" })).toBeVisible();
  await page.getByRole("button", { name: "Cancel the export" }).click();
  await expect(page.getByText("The export was cancelled.")).toBeVisible();
  await expect(row(page, id).locator(".status.cancelled")).toBeVisible();
  server.hurry();
  await expect(row(page, id).getByRole("link", { name: "Download" })).toHaveCount(0);
  await follow(row(page, id).getByRole("link", { name: "Try again" }));
  expect(new URL(page.url()).searchParams.get("again")).toBe(id);
  await expect(page.getByRole("checkbox").first()).toBeChecked();
});

/** Presses `target` and lets go of it only when its part of the page would have been renewed: a click all the same. */
async function pressThroughRenewal(page, target) {
  await page.evaluate(() => {
    globalThis.renewals = 0;
    document.addEventListener("htmx:sseBeforeMessage", ({ detail }) => { globalThis.renewals += detail.type === "active"; });
  });
  // The press takes the focus from there, which ends no press.
  await page.getByLabel("Why").focus();
  await target.hover();
  await page.mouse.down();
  await page.waitForFunction(() => globalThis.renewals > 0);
  await page.mouse.up();
}

test("nothing chosen is refused in words, and what was filled in stays", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme", { expected: [/status of 400/] });
  await page.goto(PORTAL);
  for (const box of await page.locator('[name="categories"]').all()) await box.uncheck();
  await page.getByLabel("Why").fill("a question of a customer");
  expect((await submit(page)).status()).toBe(400);
  await expect(page.getByRole("alert")).toHaveText("Not started: choose at least one category.");
  await expect(page.getByLabel("Why")).toHaveValue("a question of a customer");
});

test("a failure is told in plain words, with what to do", async ({ visit }) => {
  server.sql("update users set logins = 9007199254740993 where id = (select min(id) from users where tenant_id = 'acme')");
  const page = await visit(server, "client_admin@acme");
  const id = await start(page, ["users"]);
  await expect(row(page, id).locator(".status.failed")).toBeVisible({ timeout: 120_000 });
  await expect(row(page, id).locator(".why")).toContainText("logins");
  await expect(row(page, id).getByRole("link", { name: "Try again" })).toBeVisible();
  server.sql("update users set logins = 1 where logins > 9007199254740991");
});

test("the history is filtered by status, and the filter is in the address", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  await page.goto(PORTAL);
  await page.getByRole("navigation", { name: "Show" }).getByRole("link", { name: "Cancelled" }).click();
  await expect(page).toHaveURL(/status=cancelled/);
  await expect(page.locator("table.history .status")).toHaveText(["Cancelled"]);
  await page.goBack();
  await expect(page.locator("table.history .status.failed")).toHaveCount(1);
  await page.goto(`${PORTAL}&status=expired`);
  await expect(page.getByText("No export with this status.")).toBeVisible();
});

test("when the limit is reached the button is disabled, with the last and the next time", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  for (let left = await unused(page); left > 0; left -= 1) {
    await completed(page, await start(page, ["configurations"]));
    await expect(page.locator(".limits")).toContainText(`${left - 1} of ${LIMIT} left`);
  }
  const button = page.getByRole("button", { name: "Start export" });
  await expect(button).toHaveAttribute("aria-disabled", "true");
  const why = page.locator("#why-not");
  await expect(why).toContainText("You have used up your exports for now.");
  await expect(why.locator("time")).toHaveCount(2);
  await expect(button).toHaveAccessibleDescription(/Next possible/);
  await page.evaluate(() => { addEventListener("submit", () => { globalThis.sent = true; }, true); });
  await button.click({ force: true });
  expect(await page.evaluate(() => globalThis.sent)).toBeUndefined();
  await page.reload();
  await expect(page.locator(".limits")).toContainText(`0 of ${LIMIT} left`);
});

/** How many exports this person may still start. */
async function unused(page) {
  await page.goto(PORTAL);
  const [, left] = new RegExp(`(\\d+) of ${LIMIT} left`).exec(await page.locator(".limits").textContent());
  return Number(left);
}

test("who isn't an admin finds nothing, and so does another tenant", async ({ visit }) => {
  const admin = await visit(server, "client_admin@acme");
  const id = await newest(admin);
  for (const person of ["member@acme", "auditor@acme", "operator@platform"]) {
    const page = await visit(server, person, { expected: [/status of 404/] });
    const answer = await page.goto(PORTAL);
    expect([person, answer.status()]).toEqual([person, 404]);
  }
  const foreign = await visit(server, "client_admin@globex", { expected: [/status of 404/] });
  expect((await foreign.goto(`/settings/data-exports/${id}`)).status()).toBe(404);
  await foreign.goto(PORTAL);
  await expect(foreign.getByText("No exports yet.")).toBeVisible();
});
