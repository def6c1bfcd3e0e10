// Where things are on the portal, and how people do things there.
import { expect } from "./test.js";

export const PORTAL = "/settings?section=data-exports";

/** Starts an export of `categories` (all when left out) by the form; gives its id. The browser isn't to save the file. */
export async function start(page, categories) {
  await page.goto(PORTAL);
  for (const box of await page.locator('[name="categories"]').all()) {
    await box.setChecked(!categories || categories.includes(await box.getAttribute("value")));
  }
  const save = page.locator("#save");
  if (await save.isVisible()) await save.uncheck();
  return press(page);
}

/** Presses the button; gives the id of the export that started. */
export async function press(page) {
  const posted = page.waitForResponse((answer) => answer.request().method() === "POST");
  await page.getByRole("button", { name: "Start export" }).click();
  const { location } = (await posted).headers();
  await page.waitForLoadState();
  return /[0-9a-f-]{36}/.exec(location)[0];
}

/** The id of the newest export this person sees. */
export async function newest(page) {
  const list = await page.request.get("/api/account-exports?page_size=1");
  expect(list.status()).toBe(200);
  return (await list.json()).items[0].id;
}

/** What a script of this page would send with what it changes. */
export const csrf = (page) => page.locator('[name="csrf"]').first().inputValue();

/** The row of a finished export. */
export const row = (page, id) => page.locator(`#export-${id}`);

/** The export under way with this id. */
export const job = (page, id) => page.locator("li.job", { has: page.locator(`#cancel-${id}`) });

/** Waits until the page itself says that the export is completed. */
export async function completed(page, id) {
  await expect(row(page, id).locator(".status.completed")).toBeVisible({ timeout: 60_000 });
}
