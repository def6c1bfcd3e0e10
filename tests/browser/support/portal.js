// Where things are on the portal, and how people do things there.
import { expect } from "./test.js";

export const PORTAL = "/settings?section=data-exports";

/** Starts an export of `categories` (all when left out) by the form; gives its id. */
export async function start(page, categories) {
  await page.goto(PORTAL);
  if (categories) {
    for (const box of await page.getByRole("checkbox").all()) {
      await box.setChecked(categories.includes(await box.getAttribute("value")));
    }
  }
  await page.getByRole("button", { name: "Start export" }).click();
  await page.waitForURL(/notice=started/);
  return newest(page);
}

/** The id of the newest export this person sees. */
export async function newest(page) {
  const list = await page.request.get("/api/account-exports?page_size=1");
  expect(list.status()).toBe(200);
  return (await list.json()).items[0].id;
}

/** The row of a finished export. */
export const row = (page, id) => page.locator(`#export-${id}`);

/** The export under way with this id. */
export const job = (page, id) => page.locator("li.job", { has: page.locator(`#cancel-${id}`) });

/** Waits until the page itself says that the export is completed. */
export async function completed(page, id) {
  await expect(row(page, id).locator(".status.completed")).toBeVisible({ timeout: 30_000 });
}
