// Without a script in the browser: everything can still be done, by forms and links.
import { test, expect, serve } from "./support/test.js";
import { save } from "./support/click.js";
import { PORTAL, press, row, job } from "./support/portal.js";

const server = serve();
const SCRIPTLESS = { javaScriptEnabled: false };

test("ask, list, look again, download, verify", async ({ visit }, info) => {
  const page = await visit(server, "client_admin@acme", SCRIPTLESS);
  await page.goto(PORTAL);
  const id = await press(page);
  await lookAgain(page, row(page, id).locator(".status.completed"));
  const download = await save(row(page, id).getByRole("link", { name: "Download" }));
  const file = info.outputPath("export.json");
  await download.saveAs(file);
  expect(server.run("verify", file)).toMatchObject({ code: 0 });
});

test("cancel, with its question", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme", SCRIPTLESS);
  await page.goto(PORTAL);
  server.dawdle("acme");
  const id = await press(page);
  await job(page, id).getByRole("link", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Cancel the export" }).click();
  await expect(page.getByText("The export was cancelled.")).toBeVisible();
  await lookAgain(page, row(page, id).locator(".status.cancelled"));
});

/** Loads the page until there is such a thing on it: nothing comes to it by itself. */
async function lookAgain(page, thing) {
  const there = async () => {
    await page.goto(PORTAL);
    return thing.count();
  };
  await expect.poll(there, { timeout: 120_000 }).toBe(1);
}
