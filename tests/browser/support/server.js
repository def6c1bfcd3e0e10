// The built program, as people start it: `carnet demo` on a folder of its own.
import { spawn, execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createInterface } from "node:readline";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./port.js";

const PROGRAM = process.env.CARNET ?? new URL("../../../target/debug/carnet", import.meta.url).pathname;
const ADDRESS = /^carnet serves (http:\/\/\S+)$/;
const PATIENCE = 60_000;
/** Of SQLite's recursion: about a second, so that the thousands of rows of a tenant take an hour, and minutes where ten times as fast. */
const STEPS_PER_ROW = 4_000_000;

/** A demo that runs, is killed, and runs again on the same files and address. */
export class Server {
  /** @param {Record<string, string>} settings  environment that overrides the demo's configuration */
  constructor(settings = {}) {
    this.settings = settings;
    this.folder = mkdtempSync(join(tmpdir(), "carnet-browser-"));
    this.log = [];
  }

  /** Starts it, and gives the address its pages have. */
  async start() {
    this.listen ??= `127.0.0.1:${await freePort()}`;
    const args = ["demo", "--dir", this.folder, "--listen", this.listen];
    this.process = spawn(PROGRAM, args, {
      env: { ...process.env, ...this.settings },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.process.stderr.on("data", (text) => this.log.push(text.toString()));
    // By its name, as the demo says: that is where browsers take cookies for secure places.
    this.base = `http://localhost:${new URL(await this.#address()).port}`;
    return this.base;
  }

  async #address() {
    const lines = createInterface({ input: this.process.stdout });
    const said = new Promise((resolve, reject) => {
      lines.on("line", (line) => ADDRESS.test(line) && resolve(ADDRESS.exec(line)[1]));
      this.process.on("error", reject);
      this.process.on("exit", () => reject(new Error(`the demo ended:\n${this.log.join("")}`)));
      setTimeout(() => reject(new Error("the demo printed no address")), PATIENCE).unref();
    });
    return said;
  }

  /** Ends it as a power cut would. */
  async kill() {
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  /** Ends it and takes its files away. */
  async close() {
    if (this.process && this.process.exitCode === null && this.process.signalCode === null) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The answer of one of the program's own commands: its exit code and what it printed. */
  run(...args) {
    try {
      return { code: 0, said: execFileSync(PROGRAM, args, { encoding: "utf8", stdio: "pipe" }) };
    } catch (error) {
      return { code: error.status, said: `${error.stdout}${error.stderr}` };
    }
  }

  /** Gives a tenant `rows` more audit events to export, so that an export of them can be watched while it runs. */
  grow(tenant, rows) {
    this.sql(`
      with recursive n(i) as (select 1 union all select i + 1 from n where i < ${rows})
      insert into audit_events (tenant_id, actor_id, action, trace, payload, occurred_at)
      select '${tenant}', null, 'user.signed_in', i, '{"from":"a test"}', '2026-01-01T00:00:00Z' from n`);
  }

  /**
   * Makes each of a tenant's audit events take so long to read that an export of them, begun from now on, ends in no
   * test unless it is cancelled: however slow the machine, there is something under way to look at.
   */
  dawdle(tenant) {
    // With a write-ahead log the table can be changed while an export reads what it was.
    this.sql(`
      pragma journal_mode = wal;
      begin immediate;
      alter table audit_events rename to quick_audit_events;
      create view audit_events as
        select id, tenant_id, actor_id, action, trace, payload, case tenant_id when '${tenant}' then (
          with recursive n(i) as (select id union all select i + 1 from n where i < id + ${STEPS_PER_ROW})
          select substr(occurred_at, 1, max(i)) from n) else occurred_at end as occurred_at
        from quick_audit_events;
      commit`);
  }

  /** Takes `dawdle` back, for whatever is read from now on. */
  hurry() {
    this.sql("begin immediate; drop view audit_events; alter table quick_audit_events rename to audit_events; commit");
  }

  /** Changes the data that tenants export. Whoever reads meanwhile sees all of a change made in a transaction, or nothing. */
  sql(statement) {
    execFileSync("sqlite3", [join(this.folder, "tenants.db")], { input: `.timeout 5000\n.bail on\n${statement};` });
  }
}
