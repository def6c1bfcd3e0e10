// The README's pictures, made anew by `tests/run screenshots`: the same people, sizes and steps each time.
import { execFileSync } from "node:child_process";
import { test, expect, serve } from "./support/test.js";
import { PORTAL, start, completed, job } from "./support/portal.js";

const server = serve();
const DESKTOP = { width: 1280, height: 900 };

test.beforeAll(() => server.grow("acme", 150_000));

test("pictures", async ({ visit }) => {
  test.setTimeout(120_000);
  const admin = await visit(server, "client_admin@acme", { viewport: DESKTOP });
  const id = await start(admin, ["users", "support_tickets"]);
  await completed(admin, id);
  await admin.goto(`/settings/data-exports/${id}`);
  await take(admin, "details");
  const long = await start(admin);
  await expect(job(admin, long)).toContainText(/[1-9][\d,]* rows/);
  await take(admin, "portal");
  await admin.setViewportSize({ width: 390, height: 844 });
  await take(admin, "portal-phone");

  const auditor = await visit(server, "auditor@acme", { viewport: DESKTOP });
  await auditor.goto("/audit");
  await take(auditor, "audit");
  await auditor.goto(`/audit/exports/${id}?revision=2`);
  await take(auditor, "booklet");

  const operator = await visit(server, "operator@platform", { viewport: DESKTOP, colorScheme: "dark" });
  await operator.goto("/operator");
  await take(operator, "operator-dark");
});

async function take(page, name) {
  const path = new URL(`pictures/${name}.png`, import.meta.url).pathname;
  await page.evaluate(() => scrollTo(0, 0));
  await page.screenshot({ path, animations: "disabled" });
  execFileSync("pngquant", ["--force", "--strip", "--quality", "60-90", "--output", path, path]);
}
