// The built program in earnest: `carnet serve`, with an identity provider.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";
import { CLIENT } from "./provider.js";

const PROGRAM = process.env.CARNET ?? new URL("../../../target/debug/carnet", import.meta.url).pathname;

export class Service {
  /** Its address, which the provider must know before it runs. */
  async prepare() {
    this.folder = mkdtempSync(join(tmpdir(), "carnet-serve-"));
    this.port = await freePort();
    this.base = `http://localhost:${this.port}`;
    return this.base;
  }

  /** Starts it with the provider called `issuer`. */
  async start(issuer) {
    const config = join(this.folder, "carnet.toml");
    writeFileSync(
      config,
      `
[server]
listen = "127.0.0.1:${this.port}"
public_url = "${this.base}"
[auth]
issuer = "https://tokens.example.org"
hs256_secret = "0123456789abcdef0123456789abcdef"
[auth.session]
claims_max_age = "1s"
[auth.oidc]
issuer = "${issuer}"
client_id = "${CLIENT.id}"
client_secret = "${CLIENT.secret}"
`,
    );
    this.log = [];
    this.process = spawn(PROGRAM, ["serve", "--config", config], { stdio: ["ignore", "pipe", "pipe"] });
    this.process.stderr.on("data", (text) => this.log.push(text.toString()));
    await new Promise((resolve, reject) => {
      createInterface({ input: this.process.stdout }).once("line", resolve);
      this.process.once("exit", () => reject(new Error(`the service ended:\n${this.log.join("")}`)));
    });
  }

  async close() {
    if (this.process && this.process.exitCode === null) {
      this.process.kill("SIGKILL");
      await once(this.process, "exit");
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
