//! A real PostgreSQL of one's own: made in a temporary directory, gone with the value.
//!
//! It listens on a port of 127.0.0.1, where it wants the password that [`Postgres::url`] gives, and on a socket in its
//! directory, where it trusts. It runs with its defaults (`fsync` and `synchronous_commit` on) but for what is asked. As
//! root it runs as the user `postgres`, for it refuses to be root. [`shared`] is one for many tests.

#![allow(dead_code, unreachable_pub, reason = "nobody needs all of it")]
#![allow(
    clippy::panic,
    clippy::expect_used,
    reason = "a test without a server fails"
)]

pub mod bouncer;
pub mod certificates;
mod instance;
pub mod shared;

use std::ffi::OsStr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use self::instance::{Server, output, unprivileged};

pub const USER: &str = "carnet";
pub const PASSWORD: &str = "p@ss/w:rd";

/// Settings for a server that is tested with, not measured: small, and quick to clean up.
pub const SMALL: &str = "shared_buffers = 64MB\nmax_wal_size = 256MB\nautovacuum_naptime = 1s\njit = off\nrecovery_init_sync_method = syncfs";

pub struct Postgres {
    directory: TempDir,
    server: Server,
}

impl Postgres {
    /// Starts one, or says why there is none. `settings` are lines of `postgresql.conf`.
    pub fn start(settings: &[&str]) -> Result<Self, String> {
        // Between finding a free port and using it somebody else may have taken it.
        Self::try_start(settings).or_else(|_| Self::try_start(settings))
    }

    fn try_start(settings: &[&str]) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let server = Server::create(directory.path(), settings)?;
        Ok(Self { directory, server })
    }

    /// Starts a standby of `primary`: read-only, and always a little behind.
    pub fn standby_of(primary: &Self, settings: &[&str]) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let server = Server::follow(&primary.server, directory.path(), settings)?;
        Ok(Self { directory, server })
    }

    /// Where its superuser reaches `database`.
    pub fn url(&self, database: &str) -> String {
        self.server.url(USER, PASSWORD, database)
    }

    /// Where somebody else does.
    pub fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        self.server.url(user, password, database)
    }

    pub fn port(&self) -> u16 {
        self.server.port
    }

    /// The directory of its data, settings and certificates; `SIGHUP` makes it read them again.
    pub fn data(&self) -> PathBuf {
        self.server.data()
    }

    /// Runs SQL in the database `postgres`.
    pub fn execute(&self, sql: &str) -> Result<(), String> {
        self.query("postgres", sql).map(drop)
    }

    /// Runs SQL in `database` and gives what it answers, unadorned.
    pub fn query(&self, database: &str, sql: &str) -> Result<String, String> {
        self.server.query(database, sql)
    }

    /// Runs a `pgbench` script with prepared statements and gives its transactions per second. Each client has a variable
    /// `n` of its own, -1 at first.
    pub fn bench(&self, script: &str, clients: usize, seconds: u64) -> Result<f64, String> {
        let file = self.directory.path().join("script.sql");
        std::fs::write(&file, script).map_err(|error| error.to_string())?;
        let (clients, seconds) = (clients.to_string(), seconds.to_string());
        let threads = if clients == "1" { "1" } else { "2" };
        let mut pgbench = self.server.client("pgbench", "postgres");
        pgbench.args(["-n", "-M", "prepared", "-D", "n=-1", "-j", threads]);
        pgbench
            .args(["-c", &clients, "-T", &seconds, "-f"])
            .arg(file);
        let report = output(&mut pgbench)?;
        let tps = report
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.ok_or(report)
    }

    /// Kills the server and all its children at once, as a power cut would; files stay as they are.
    pub fn kill(&self) -> Result<(), String> {
        let server = self.server.pid()?;
        // It is to bear no more of them while they are counted.
        output(Command::new("kill").args(["-STOP", &server]))?;
        let children = std::fs::read_to_string(format!("/proc/{server}/task/{server}/children"))
            .map_err(|error| error.to_string())?;
        let mut kill = Command::new("kill");
        kill.args(["-9", &server]).args(children.split_whitespace());
        // One of them may be gone already.
        let _ = kill.stdout(Stdio::null()).stderr(Stdio::null()).status();
        // Dead, or dead and not yet buried by its parent.
        let gone = |pid: &str| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status"));
            status.map_or(true, |status| status.contains("State:\tZ"))
        };
        for _ in 0..6_000 {
            if gone(&server) && children.split_whitespace().all(gone) {
                // The next one would take its number in these files for a server that runs.
                let socket = format!(".s.PGSQL.{}.lock", self.server.port);
                for file in [
                    self.data().join("postmaster.pid"),
                    self.directory.path().join(socket),
                ] {
                    std::fs::remove_file(file).map_err(|error| error.to_string())?;
                }
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        Err(format!("process {server} can't be killed"))
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop), on the same port.
    pub fn start_again(&self) -> Result<(), String> {
        self.server.start()
    }

    /// Stops it in good order, ending every session.
    pub fn stop(&self) -> Result<(), String> {
        self.server.stop("fast")
    }

    /// Copies a file into its data directory, as its own and nobody else's to read.
    pub fn put(&self, from: &Path, name: &str) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let to = self.data().join(name);
        std::fs::copy(from, &to).map_err(text)?;
        std::fs::set_permissions(&to, PermissionsExt::from_mode(0o600)).map_err(text)?;
        if self.server.root {
            let (user, group) = unprivileged();
            chown(&to, Some(user), Some(group)).map_err(text)?;
        }
        Ok(())
    }

    /// Makes it read its settings again.
    pub fn reload(&self) -> Result<(), String> {
        self.server
            .run("pg_ctl", ["-s", "reload", "-D"].map(OsStr::new))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.stop("immediate");
    }
}
