// Where things are on the portal, and how people do things there.
import { hit } from "./click.js";
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

/** Presses the button; gives the id of the export that started, once the page tells of it. */
export async function press(page) {
  const answer = await submit(page);
  expect(answer.status()).toBe(303);
  const id = /export=([0-9a-f-]{36})/.exec(answer.headers().location)[1];
  await page.waitForURL((url) => url.searchParams.get("export") === id);
  return id;
}

/** Presses the button; gives the answer to the form. One that is sent twice is one request. */
export function submit(page) {
  const posted = page.waitForResponse((answer) => answer.request().method() === "POST");
  return hit(page.getByRole("button", { name: "Start export" }), posted);
}

/** The exports this person sees, as the API lists them. A list that is behind what was done asks to be asked again. */
export async function list(page, query = "") {
  let listed;
  await expect(async () => {
    const answer = await page.request.get(`/api/account-exports${query}`);
    expect(answer.status()).toBe(200);
    listed = await answer.json();
  }).toPass();
  return listed;
}

/** The id of the newest export this person sees. */
export const newest = async (page) => (await list(page, "?page_size=1")).items[0].id;

/** What a script of this page would send with what it changes. */
export const csrf = (page) => page.locator('[name="csrf"]').first().inputValue();

/** The row of a finished export. */
export const row = (page, id) => page.locator(`#export-${id}`);

/** The export under way with this id. */
export const job = (page, id) => page.locator("li.job", { has: page.locator(`#cancel-${id}`) });

/** Waits until the page itself says that the export is completed. */
export async function completed(page, id) {
  await expect(row(page, id).locator(".status.completed")).toBeVisible({ timeout: 120_000 });
}
