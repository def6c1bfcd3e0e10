// The auditor's desk: finding what happened, taking it away, and walking through one export.
import { readFileSync } from "node:fs";
import { test, expect, serve } from "./support/test.js";
import { hit, save } from "./support/click.js";
import { start, completed, csrf, list } from "./support/portal.js";

const server = serve({ CARNET__LIMITS__PER_USER__ACCEPTED: "40" });
const types = (page) => page.locator("table.log tbody tr td:nth-child(2) code");

test.describe.configure({ mode: "serial" });
let id;

/** Loads the log anew for as long as it says that it is behind what has happened. */
async function catchUp(page) {
  const behind = async () => {
    const count = await page.getByText("The log is catching up").count();
    if (count > 0) await page.reload();
    return count;
  };
  await expect.poll(behind).toBe(0);
}

test("what happens is in the log, told as it comes", async ({ visit }) => {
  const auditor = await visit(server, "auditor@acme");
  await auditor.goto("/audit");
  await expect(auditor.getByRole("heading", { level: 1, name: "Audit log" })).toBeVisible();
  const admin = await visit(server, "client_admin@acme");
  id = await start(admin, ["configurations"]);
  await completed(admin, id);
  await auditor.getByText(/new entr(y|ies)\./).waitFor();
  // It leads to the same address.
  const show = auditor.getByRole("link", { name: "Show", exact: true });
  await hit(show, auditor.waitForEvent("framenavigated"));
  await auditor.waitForLoadState();
  await catchUp(auditor);
  await expect(types(auditor).filter({ hasText: "completed" })).toHaveCount(1);
  await expect(types(auditor).filter({ hasText: "export_admitted" })).toHaveCount(1);
});

test("filters narrow the log, stand in the address, and are taken back", async ({ visit }) => {
  const page = await visit(server, "auditor@acme");
  await page.goto("/audit");
  await page.getByLabel("Type", { exact: true }).selectOption("completed");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/type=completed/);
  await expect(types(page)).toHaveText(["completed"]);
  await page.getByLabel("Person", { exact: true }).fill("ada");
  await page.getByLabel("Type", { exact: true }).selectOption("");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(types(page).filter({ hasText: "export_admitted" })).toHaveCount(1);
  await page.getByLabel("Person", { exact: true }).fill("nobody");
  page.expected.push(/status of 400/);
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page.getByText("Nobody known by this name.")).toBeVisible();
  await expect(page.getByLabel("Person", { exact: true })).toHaveAttribute("aria-invalid", "true");
  await page.getByRole("link", { name: "Clear all" }).click();
  await expect(page).toHaveURL(/\/audit$/);
});

test("a bar of the chart selects its time", async ({ visit }) => {
  const page = await visit(server, "auditor@acme");
  await page.goto("/audit");
  await page.locator(".density svg a").last().click();
  await expect(page).toHaveURL(/from=.*to=/);
  await expect(page.getByRole("link", { name: "Whole time" })).toBeVisible();
  await expect(types(page).first()).toBeVisible();
});

test("CSV and NDJSON hold exactly what is filtered, and taking them is in the log", async ({ visit }, info) => {
  const page = await visit(server, "auditor@acme");
  await page.goto(`/audit?export_id=${id}`);
  await catchUp(page);
  const shown = await types(page).allTextContents();
  expect(shown).toContain("completed");
  for (const format of ["CSV", "NDJSON"]) {
    const download = await save(page.getByRole("link", { name: format, exact: true }));
    const file = info.outputPath(download.suggestedFilename());
    await download.saveAs(file);
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const told = format === "CSV" ? lines.slice(1) : lines.map((line) => JSON.parse(line).type);
    expect(told.length).toBeGreaterThanOrEqual(shown.length);
    for (const type of shown) expect(told.join("\n")).toContain(type);
  }
  await page.goto("/audit?type=audit_read");
  await catchUp(page);
  await expect(page.getByRole("cell", { name: /csv/ }).first()).toBeVisible();
});

test("a row opens its record in place, and by its address", async ({ visit }) => {
  const page = await visit(server, "auditor@acme");
  await page.goto("/audit?type=completed");
  const open = page.locator("a.open").first();
  const address = await open.getAttribute("href");
  await open.click();
  await expect(page.getByText("Schema version")).toBeVisible();
  await expect(page.locator("a.open").first()).toHaveAttribute("aria-expanded", "true");
  await page.goto(address);
  await expect(page.getByText("Schema version")).toBeVisible();
});

test("an export's slider walks its revisions by arrow keys, and marks what changed", async ({ visit }) => {
  const page = await visit(server, "auditor@acme");
  await page.goto(`/audit/exports/${id}`);
  const slider = page.getByRole("slider", { name: "Revision" });
  const last = Number(await slider.getAttribute("max"));
  await expect(page.locator("#state")).toHaveAttribute("data-revision", String(last));
  await slider.focus();
  for (let revision = last - 1; revision >= 0; revision--) {
    await page.keyboard.press("ArrowLeft");
    await expect(page.locator("#state")).toHaveAttribute("data-revision", String(revision));
    await expect(page).toHaveURL(new RegExp(`revision=${revision}$`));
    await expect(page.locator(`#timeline [data-step="${revision}"]`)).toHaveAttribute("aria-current", "step");
  }
  await expect(slider).toBeFocused();
  await page.keyboard.press("ArrowRight");
  await expect(page.locator("#state")).toContainText("≠ changed");
  await page.goto(`/audit/exports/${id}?revision=0`);
  await expect(page.locator("#state")).toHaveAttribute("data-revision", "0");
});

test("without scripts: filters, pages of the log, records and steps are links and forms", async ({ visit }) => {
  // Enough entries for a second page.
  const admin = await visit(server, "client_admin@acme");
  await admin.goto("/settings?section=data-exports");
  const headers = { "x-csrf-token": await csrf(admin), "sec-fetch-site": "same-origin" };
  test.slow();
  for (let another = 0; another < 25; another++) {
    await expect(async () => {
      const asked = await admin.request.post("/api/account-exports", { headers, data: { categories: ["configurations"] } });
      expect(asked.status()).toBe(202);
    }).toPass();
  }
  await expect.poll(async () => (await list(admin, "?status=completed&page_size=1")).total).toBe(26);
  const page = await visit(server, "auditor@acme", { javaScriptEnabled: false });
  await page.goto("/audit");
  await page.getByRole("link", { name: "Older" }).click();
  await expect(page.getByRole("link", { name: "Newer" })).toBeVisible();
  await page.getByLabel("Type", { exact: true }).selectOption("completed");
  await page.getByRole("button", { name: "Apply" }).click();
  await expect(page).toHaveURL(/type=completed/);
  await catchUp(page);
  await expect(types(page)).toHaveText(Array(26).fill("completed"));
  await page.locator("a.open").first().click();
  await expect(page.getByText("Schema version")).toBeVisible();
  await page.goto(`/audit/exports/${id}`);
  await page.getByRole("link", { name: "← Step back" }).click();
  await expect(page).toHaveURL(/revision=/);
});

test("an auditor has no way to a file; others have no way to the desk", async ({ visit }) => {
  const auditor = await visit(server, "auditor@acme", { expected: [/status of 404/] });
  for (const path of [`/api/account-exports/${id}/download`, `/settings/data-exports/${id}`]) {
    expect([path, (await auditor.request.get(path)).status()]).toEqual([path, 404]);
  }
  for (const person of ["member@acme", "operator@platform"]) {
    const page = await visit(server, person, { expected: [/status of 404/] });
    expect([person, (await page.goto("/audit")).status()]).toEqual([person, 404]);
  }
  const foreign = await visit(server, "auditor@globex", { expected: [/status of 404/] });
  expect((await foreign.goto(`/audit/exports/${id}`)).status()).toBe(404);
});
