// A site of somebody else, which sends what it likes to the service under test.
import { createServer } from "node:http";
import { test } from "@playwright/test";

/** Serves `pages` (path to HTML) for a file's tests. `at("localhost")` is the same site as the service, another origin; `at("127.0.0.1")` is another site. */
export function elsewhere(pages) {
  const server = createServer((request, answer) => {
    const page = pages()[new URL(request.url, "http://x").pathname];
    answer.writeHead(page ? 200 : 404, { "content-type": "text/html; charset=utf-8" });
    answer.end(page ?? "");
  });
  test.beforeAll(() => new Promise((resolve) => { server.listen(0, resolve); }));
  test.afterAll(() => { server.closeAllConnections(); server.close(); });
  return { at: (host) => `http://${host}:${server.address().port}` };
}
