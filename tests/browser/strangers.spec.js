// Who isn't signed in: led to the way to sign in, whatever the path, and told nothing else.
import { test, expect, serve } from "./support/test.js";

const server = serve();
const PATHS = ["/", "/settings?section=data-exports", "/audit", "/operator", "/nowhere/at/all"];

test("a stranger is led to the way to sign in, whatever the path", async ({ visit }) => {
  const page = await visit(server);
  for (const path of PATHS) {
    const answer = await page.request.get(path, { maxRedirects: 0, headers: { accept: "text/html" } });
    const location = new URL(answer.headers().location, server.base);
    expect(answer.status()).toBe(303);
    expect([location.pathname, location.searchParams.get("return_to")]).toEqual(["/sign-in", path]);
    expect(answer.headers()["cache-control"]).toBe("no-store");
  }
});
