// Ports that stay one's own while nobody listens on them.
import { once } from "node:events";
import { createServer } from "node:net";

/** Below those that systems give to whoever asks for any port, outgoing connections included. */
const FIRST = 21_000;
const EACH = 1_000;

/**
 * A port that nobody listens on, and that nobody gets by chance: for a service that is told its address before it runs, or
 * that comes back to where it was. Each of the runner's processes has ports of its own.
 */
export async function freePort() {
  const first = FIRST + EACH * Number(process.env.TEST_PARALLEL_INDEX ?? 0);
  for (;;) {
    const port = first + Math.floor(Math.random() * EACH);
    if (await isFree(port)) return port;
  }
}

async function isFree(port) {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
  } catch {
    return false;
  }
  server.close();
  await once(server, "close");
  return true;
}
