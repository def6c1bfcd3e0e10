// What no page may do, whatever it is tested for: errors in the console, violations of its policy, failed or foreign
// requests. Everything seen is collected; `test.js` fails the test that caused it.

const ABORTED = "net::ERR_ABORTED"; // a stream or page that was left, or a download: not a failure

/** Whether this is what a service answers that is behind what has happened, or has too much to do: come again. */
export const isForLater = (answer) => answer?.status() === 503 && "retry-after" in answer.headers();

/** Watches every page of `context`; the complaints grow in what it gives. */
export async function watch(context, origin) {
  const complaints = [];
  const complain = (what) => complaints.push(what);

  // Before any script of the page, so that its first violation is seen too.
  await context.exposeBinding("__violation", (_, what) => complain(`policy violation: ${what}`));
  await context.addInitScript(() => {
    addEventListener("securitypolicyviolation", (event) => {
      globalThis.__violation(`${event.effectiveDirective} ${event.blockedURI} at ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  context.on("request", (request) => {
    const url = new URL(request.url());
    const own = url.origin === origin || ["data:", "blob:", "about:"].includes(url.protocol);
    if (!own) complain(`foreign request: ${request.method()} ${request.url()}`);
  });
  context.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    if (why !== ABORTED) complain(`failed request: ${request.method()} ${request.url()}: ${why}`);
  });
  // Whoever is told to come again does; the browser complains of it all the same.
  const later = new Set();
  context.on("response", (answer) => isForLater(answer) && later.add(answer.url()));
  context.on("weberror", (error) => complain(`uncaught: ${error.error()}`));
  context.on("console", (message) => {
    const isOfLater = /status of 503/.test(message.text()) && later.has(message.location().url);
    if (["error", "warning"].includes(message.type()) && !isOfLater) {
      complain(`console ${message.type()}: ${message.text()} (${message.location().url})`);
    }
  });
  return complaints;
}
