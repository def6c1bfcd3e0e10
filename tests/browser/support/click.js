// Clicks on what a page may renew at any moment.
import { isForLater } from "./watch.js";

/** So long after a click that had no effect it is made again. */
const A_WHILE = 10_000;

/**
 * Clicks `target`, and waits for what comes of it. Before the page's script runs, a part that is renewed between the press and
 * the release of the button takes the click with it; people click again then, and so does this. That the script holds parts
 * back meanwhile has a test of its own, which clicks once (portal.spec.js).
 */
export async function hit(target, effect) {
  let is = false;
  const seen = effect.finally(() => { is = true; });
  seen.catch(() => {});
  while (!is) {
    // This very element: what stands in its place on the page that the click leads to isn't to be clicked.
    const element = await Promise.race([seen, target.elementHandle()]);
    if (is) break;
    await Promise.race([seen, element.click().then(pause, () => {})]);
  }
  return seen;
}

const pause = () => new Promise((resolve) => { setTimeout(resolve, A_WHILE).unref(); });

/** Follows a link to another page. */
export async function follow(link) {
  const page = link.page();
  const here = page.url();
  const answered = page.waitForResponse((answer) => answer.request().isNavigationRequest() && !isRedirect(answer));
  const answer = await hit(link, answered);
  await page.waitForURL((url) => url.href !== here);
  if (isForLater(answer)) await page.reload();
}

const isRedirect = (answer) => answer.status() >= 300 && answer.status() < 400;

/** Has the browser save the file that a link leads to; gives the download. */
export const save = (link) => hit(link, link.page().waitForEvent("download"));
