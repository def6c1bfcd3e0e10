// What people with assistive technology, on a small screen or with a keyboard alone would stumble over.
import axe from "axe-core";
import { expect } from "./test.js";

const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };
const SMALLEST = { width: 320, height: 640 };

/** Scans the page as it stands, in light and dark, on a desktop and a phone. From then on it doesn't renew itself any more. */
export async function scanEverywhere(page, name) {
  await page.waitForLoadState();
  await hold(page);
  for (const [size, viewport] of [["desktop", DESKTOP], ["phone", PHONE]]) {
    await page.setViewportSize(viewport);
    for (const colorScheme of ["light", "dark"]) {
      await page.emulateMedia({ colorScheme });
      expect(await violations(page), `${name}, ${size}, ${colorScheme}`).toEqual([]);
    }
  }
  await noSideways(page, name);
  await page.setViewportSize(DESKTOP);
  await page.emulateMedia({ colorScheme: null });
}

/** Keeps a page as it is: a part that is replaced while it is looked at would be blamed for not being there. */
async function hold(page) {
  await page.evaluate(() => {
    for (const swap of ["htmx:sseBeforeMessage", "htmx:beforeSwap"]) {
      document.addEventListener(swap, (event) => event.preventDefault());
    }
  });
}

/** Opens everything that is folded up. */
export async function unfold(page) {
  for (const details of await page.locator("details").all()) {
    if (!(await details.evaluate(({ open }) => open))) await details.locator("> summary").click();
  }
}

async function violations(page) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe.source);
  const found = await page.evaluate((values) => globalThis.axe.run(document, { runOnly: { type: "tag", values }, resultTypes: ["violations"] }), RULES);
  return found.violations.map(({ id, help, nodes }) => ({ id, help, where: nodes.map((node) => `${node.target}: ${node.any[0]?.message ?? node.html}`) }));
}

/** A page is never wider than the screen. */
async function noSideways(page, name) {
  for (const viewport of [PHONE, SMALLEST]) {
    await page.setViewportSize(viewport);
    const wide = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      if (scrollWidth <= clientWidth) return [];
      const sticksOut = (element) => element.getBoundingClientRect().right > clientWidth + 0.5;
      return [...document.querySelectorAll("body *")].filter(sticksOut).map((element) => element.outerHTML.slice(0, 120));
    });
    expect(wide, `${name}: wider than ${viewport.width} px`).toEqual([]);
  }
}

/** Presses Tab until `target` has the focus; everything on the way must be seen to have it. */
export async function tabTo(page, target, most = 60) {
  for (let step = 0; step < most; step++) {
    if (await target.evaluate((element) => element === document.activeElement)) return;
    await page.keyboard.press("Tab");
    const lost = await page.evaluate(() => {
      const focused = document.activeElement;
      if (focused === document.body) return null;
      const { outlineStyle, outlineWidth } = getComputedStyle(focused);
      const box = focused.getBoundingClientRect();
      const shown = box.width > 0 && box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
      const marked = outlineStyle !== "none" && parseFloat(outlineWidth) >= 1;
      return shown && marked ? null : focused.outerHTML.slice(0, 160);
    });
    expect(lost, "has the focus, but isn't seen to have it").toBeNull();
  }
  throw new Error(`not reached with ${most} presses of Tab: ${target}`);
}
