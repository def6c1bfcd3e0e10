// The test that all files use: people with a browser each, watched, and one server per file.
import { test as base, expect } from "@playwright/test";
import { Server } from "./server.js";
import { isForLater, watch } from "./watch.js";

export { expect };

/** Starts a server before a file's tests and ends it after them. */
export function serve(settings) {
  const server = new Server(settings);
  test.beforeAll(() => server.start());
  test.afterAll(() => server.close());
  return server;
}

export const test = base.extend({
  /**
   * `visit(server, person, options)`: a page of a browser of its own, signed in as `person` (`client_admin@acme` and so
   * on; none: signed out). Options are Playwright's for a context, and `expected`: complaints that belong to the test.
   */
  visit: async ({ browser }, use, info) => {
    const visits = [];
    await use(async (server, person, { expected = [], ...options } = {}) => {
      const context = await browser.newContext({ baseURL: server.base, ...options });
      visits.push({ context, expected, complaints: await watch(context, server.base), person });
      const page = patient(await context.newPage());
      page.expected = expected;
      if (person) await signIn(page, person);
      return page;
    });
    for (const { context, expected, complaints, person } of visits) {
      await context.close();
      const unexpected = complaints.filter((said) => !expected.some((pattern) => pattern.test(said)));
      if (info.status === "passed" || info.status === undefined) {
        expect(unexpected, `what the pages of ${person ?? "a stranger"} did`).toEqual([]);
      }
    }
  },
});

/** The page, which loads again what a service that is behind what has happened asks to be asked for again. */
function patient(page) {
  for (const load of ["goto", "reload"]) {
    const once = page[load].bind(page);
    page[load] = async (...where) => {
      let answer;
      await expect(async () => {
        answer = await once(...where);
        expect(isForLater(answer), "still behind").toBe(false);
      }).toPass({ timeout: 60_000 });
      return answer;
    };
  }
  return page;
}

/** Signs in on the demo's own page. */
export async function signIn(page, person) {
  await page.goto("/demo/sign-in");
  await page.locator(`button[name="as"][value="${person}"]`).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/demo/sign-in"));
}
