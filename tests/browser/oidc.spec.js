// Signing in through a real OpenID Connect provider, in a real browser; and what must not work.
import { test, expect } from "@playwright/test";
import { Identities } from "./support/provider.js";
import { Service } from "./support/service.js";

const ADMIN = { tenant_id: "acme", roles: ["client_admin"], permissions: ["exports:users"] };
const API = "/api/account-exports";
const PORTAL = "/settings?section=data-exports";

const service = new Service();
const provider = new Identities({ ada: ADMIN, max: { ...ADMIN, roles: ["member"] }, ned: { ...ADMIN }, sue: { ...ADMIN }, eve: { roles: 7 } });

test.beforeAll(async () => {
  await provider.start(await service.prepare());
  await service.start(provider.issuer);
});
test.afterAll(async () => {
  await service.close();
  await provider.close();
});

// Pages that nobody looks at any more would go on asking.
test.afterEach(({ browser }) => Promise.all(browser.contexts().map((context) => context.close())));

/** A page of a browser of its own. */
async function open(browser) {
  const context = await browser.newContext({ baseURL: service.base });
  return context.newPage();
}

/** Fills in the provider's own forms: who it is, and that they agree. */
async function answerProvider(page, person) {
  await page.locator("input[name=login]").fill(person);
  await page.locator("input[name=password]").fill("any");
  await page.locator("button[type=submit]").click();
  await page.locator("input[name=prompt][value=consent]").waitFor({ state: "attached" });
  await page.locator("button[type=submit]").click();
}

async function signIn(page, person, path = PORTAL) {
  await page.goto(path);
  await answerProvider(page, person);
}

/** The status of the API for this browser's session. Where it is to be let in, it may be asked to come again in a moment. */
const status = (page) => page.evaluate(async (path) => (await fetch(path)).status, API);

test("people come back to the page they wanted, signed in", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "ada");
  await expect(page).toHaveURL(`${service.base}${PORTAL}`);
  await expect(page.locator("header")).toContainText("ada");
  await expect.poll(() => status(page)).toBe(200);
  // The provider stands on the same host here, and cookies know no ports.
  const ours = (await page.context().cookies(service.base)).filter(({ name }) => name.includes("carnet"));
  expect(ours).toHaveLength(1);
  expect(ours[0]).toMatchObject({ name: "__Host-carnet", httpOnly: true, secure: true, sameSite: "Lax", path: "/", expires: -1 });
});

test("whoever may not see a page finds nothing there", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "max");
  await expect(page.locator("h1")).toHaveText("Not found");
  await expect.poll(() => status(page)).toBe(404);
});

/** Begins a sign-in, lets `change` have the address at the provider, and goes there. */
async function beginChanged(page, change) {
  const begun = await page.request.get("/sign-in", { maxRedirects: 0 });
  const [cookie] = begun.headers()["set-cookie"].split(";");
  const [name, value] = [cookie.slice(0, cookie.indexOf("=")), cookie.slice(cookie.indexOf("=") + 1)];
  await page.context().addCookies([
    { name, value, url: service.base.replace("http:", "https:"), secure: true, httpOnly: true, sameSite: "Lax" },
  ]);
  const address = new URL(begun.headers().location);
  change(address.searchParams);
  await page.goto(address.href);
}

for (const wrong of ["state", "nonce"]) {
  test(`a wrong ${wrong} signs nobody in`, async ({ browser }) => {
    const page = await open(browser);
    await beginChanged(page, (query) => query.set(wrong, "another"));
    await answerProvider(page, "ada");
    await expect(page.locator("h1")).toHaveText("The sign-in couldn't be completed");
    expect(await status(page)).toBe(401);
  });
}

test("the request asks for a code with PKCE, state and nonce, and for no other address", async ({ browser }) => {
  const { request } = await open(browser);
  const begun = await request.get("/sign-in?return_to=//example.com", { maxRedirects: 0 });
  const query = new URL(begun.headers().location).searchParams;
  expect(query.get("response_type")).toBe("code");
  expect(query.get("code_challenge_method")).toBe("S256");
  expect(query.get("redirect_uri")).toBe(`${service.base}/sign-in/callback`);
  expect(query.get("state").length).toBeGreaterThan(15);
  expect(query.get("nonce").length).toBeGreaterThan(15);
  expect(begun.headers()["set-cookie"]).toMatch(/^__Host-carnet-sign-in=[^;]+; Path=\/; Secure; HttpOnly; SameSite=Lax; Max-Age=600$/);
});

test("a callback is good once, and in the browser that began it", async ({ browser }) => {
  const page = await open(browser);
  let callback;
  page.on("request", (request) => {
    if (request.url().includes("/sign-in/callback?")) callback = request.url();
  });
  await page.goto("/sign-in");
  const kept = await page.context().cookies(service.base.replace("http:", "https:"));
  await answerProvider(page, "ada");
  await expect(page).toHaveURL(`${service.base}${PORTAL}`);
  const elsewhere = await open(browser);
  expect((await elsewhere.goto(callback)).status()).toBe(403);
  const copied = await open(browser);
  await copied.context().addCookies(kept);
  expect((await copied.goto(callback)).status()).toBe(403);
  expect(await status(copied)).toBe(401);
});

test("claims that can't be read sign nobody in, and saying no at the provider doesn't either", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "eve");
  await expect(page.locator("h1")).toHaveText("The sign-in couldn't be completed");
  const other = await open(browser);
  await other.goto(PORTAL);
  await other.getByText("Cancel").click();
  await expect(other.locator("h1")).toHaveText("You weren't signed in");
  await expect(other.locator("main")).toContainText("Request");
});

test("a role taken away at the provider is soon taken away here", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "ned");
  await expect(page).toHaveURL(`${service.base}${PORTAL}`);
  await expect.poll(() => status(page)).toBe(200);
  provider.people.ned = { ...ADMIN, roles: ["member"] };
  await expect.poll(() => status(page)).toBe(404);
});

test("signing out ends the session here and at the provider", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "sue");
  await expect(page).toHaveURL(`${service.base}${PORTAL}`);
  const stolen = await page.context().cookies(service.base);
  await page.locator("form[action='/sign-out'] button").click();
  await page.locator("button[name=logout]").first().click();
  await expect(page).toHaveURL(`${service.base}/signed-out`);
  expect(await status(page)).toBe(401);
  const thief = await open(browser);
  await thief.context().addCookies(stolen);
  await thief.goto("/signed-out");
  expect(await status(thief)).toBe(401);
  await page.goto(PORTAL);
  await expect(page.locator("input[name=login]")).toBeVisible();
});

// Last: it takes everybody's grant.
test("a provider that says no ends the session", async ({ browser }) => {
  const page = await open(browser);
  await signIn(page, "ada");
  await expect(page).toHaveURL(`${service.base}${PORTAL}`);
  await expect.poll(() => status(page)).toBe(200);
  await provider.revoke();
  await expect.poll(() => status(page)).toBe(401);
});
