// What other sites make a signed-in person's browser do, and what a browser may keep: refused, each of it.
import { test, expect, serve } from "./support/test.js";
import { elsewhere } from "./support/elsewhere.js";
import { PORTAL, list, submit } from "./support/portal.js";

const server = serve();
// The other site's own page may do what it likes; what counts is what comes of it.
const ANYTHING = [/./];

const fields = '<input name="categories" value="configurations"><input name="once" value="1">';
const form = (action, inside) =>
  `<form method="post" action="${server.base}${action}">${inside}</form><script>document.forms[0].submit()</script>`;
const other = elsewhere(() => ({
  "/form": form("/settings/data-exports", fields),
  "/sign-in": form("/demo/sign-in", '<input name="as" value="client_admin@globex">'),
  "/sign-out": form("/sign-out", ""),
  "/fetch": "<title>quiet</title>",
  "/frame": `<iframe src="${server.base}${PORTAL}" width="800" height="600"></iframe>`,
}));

const exports = async (page) => (await list(page)).total;

/** Opens a page of the other site that sends a form to `action`; gives the status of the answer, once that is what is shown. */
async function sent(page, address, action) {
  const posted = page.waitForResponse((answer) => answer.request().method() === "POST");
  await page.goto(address);
  const status = (await posted).status();
  await page.waitForURL(server.base + action);
  return status;
}

for (const [host, what] of [["localhost", "another origin of the same site"], ["127.0.0.1", "another site"]]) {
  test(`a form that ${what} sends does nothing`, async ({ visit }) => {
    const page = await visit(server, "client_admin@acme", { expected: ANYTHING });
    const status = await sent(page, `${other.at(host)}/form`, "/settings/data-exports");
    // With the cookie it is refused; where the browser keeps the cookie back, it is a stranger's.
    expect(status).toBe(host === "localhost" ? 403 : 401);
    expect(await exports(page)).toBe(0);
  });

  test(`a script of ${what} does nothing and reads nothing`, async ({ visit }) => {
    const page = await visit(server, "client_admin@acme", { expected: ANYTHING });
    await page.goto(`${other.at(host)}/fetch`);
    const read = await page.evaluate(async ([base, body]) => {
      const headers = { "content-type": "application/x-www-form-urlencoded" };
      const send = (path, options) => fetch(base + path, { method: "POST", credentials: "include", mode: "no-cors", ...options }).catch(() => {});
      await send("/settings/data-exports", { headers, body });
      await send("/api/account-exports", { body: '{"categories":["users"]}' });
      return fetch(`${base}/settings?section=data-exports`, { credentials: "include" }).then(() => "read", () => "refused");
    }, [server.base, "categories=configurations&once=2"]);
    expect(read).toBe("refused");
    expect(await exports(page)).toBe(0);
  });

  test(`${what} signs nobody in or out`, async ({ visit }) => {
    const page = await visit(server, "client_admin@acme", { expected: ANYTHING });
    for (const [path, action] of [["/sign-in", "/demo/sign-in"], ["/sign-out", "/sign-out"]]) {
      expect([401, 403]).toContain(await sent(page, other.at(host) + path, action));
    }
    await page.goto(PORTAL);
    await expect(page.locator(".top")).toContainText("acme");
    await expect(page.locator(".top")).toContainText("ada");
  });

  test(`${what} can't show a page in a frame`, async ({ visit }) => {
    const page = await visit(server, "client_admin@acme", { expected: ANYTHING });
    const refused = page.waitForEvent("console", (message) => /frame-ancestors 'none'/.test(message.text()));
    await page.goto(`${other.at(host)}/frame`);
    await refused;
    await expect(page.frameLocator("iframe").getByRole("heading")).toHaveCount(0);
  });
}

test("a form without its token, or with another session's, is refused", async ({ visit }) => {
  const stranger = await visit(server, "client_admin@acme");
  await stranger.goto(PORTAL);
  const token = await stranger.locator('#new-export [name="csrf"]').inputValue();
  const page = await visit(server, "client_admin@acme", { expected: [/status of 403/] });
  for (const value of ["", "x".repeat(43), token]) {
    await page.goto(PORTAL);
    await page.locator('#new-export [name="csrf"]').evaluate((field, value) => { field.value = value; }, value);
    expect((await submit(page)).status()).toBe(403);
    await page.waitForURL(/\/settings\/data-exports$/);
    await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  }
  expect(await exports(page)).toBe(0);
});

test("signing in begins a new session, and ends the one that was brought along", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  const session = async () => (await page.context().cookies()).find((cookie) => cookie.name.startsWith("__Host-"));
  const first = await session();
  expect(first).toMatchObject({ httpOnly: true, secure: true, path: "/" });
  expect(["Lax", "Strict"]).toContain(first.sameSite);
  await page.goto("/demo/sign-in");
  await page.locator('button[value="auditor@acme"]').click();
  await page.waitForURL(/audit/);
  expect((await session()).value).not.toBe(first.value);

  const thief = await visit(server, undefined);
  await thief.context().addCookies([first]);
  await thief.goto(PORTAL);
  expect(new URL(thief.url()).pathname).toMatch(/sign-in$/);
});

test("after signing out, going back shows nothing", async ({ visit }) => {
  const page = await visit(server, "client_admin@acme");
  await page.goto(PORTAL);
  const kept = (await page.context().cookies()).filter((cookie) => cookie.name.startsWith("__Host-"));
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText("You are signed out");
  await page.goBack();
  await expect(page.getByRole("heading", { level: 1, name: "Data exports" })).toHaveCount(0);
  expect(new URL(page.url()).pathname).toMatch(/sign-in$/);
  // The session has ended on the server, not only in the browser.
  await page.context().addCookies(kept);
  await page.goto(PORTAL);
  expect(new URL(page.url()).pathname).toMatch(/sign-in$/);
});

test("nobody is led to another site after signing in", async ({ visit }) => {
  for (const away of ["https://example.com/", "//example.com/", "/\\example.com/", "javascript:alert(1)"]) {
    const page = await visit(server, undefined);
    await page.goto(`/sign-in?return_to=${encodeURIComponent(away)}`);
    await page.locator('button[value="client_admin@acme"]').click();
    await expect(page.getByRole("heading", { level: 1, name: "Data exports" })).toBeVisible();
    expect(new URL(page.url()).origin).toBe(server.base);
  }
});
