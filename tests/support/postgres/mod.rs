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
pub mod shared;

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

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
        for _ in 0..500 {
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

/// A server in a directory.
pub struct Server {
    directory: PathBuf,
    root: bool,
    port: u16,
}

impl Server {
    /// Makes one in an empty directory and starts it.
    fn create(directory: &Path, settings: &[&str]) -> Result<Self, String> {
        let server = Self::prepare(directory)?;
        let password = directory.join("password");
        std::fs::write(&password, PASSWORD).map_err(|error| error.to_string())?;
        let mut pwfile = OsString::from("--pwfile=");
        pwfile.push(&password);
        let arguments = [
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
            "--auth-local=trust",
            "--auth-host=scram-sha-256",
            "-U",
            USER,
        ];
        let arguments = arguments.map(OsString::from).into_iter();
        server.run("initdb", arguments.chain([pwfile, "-D".into()]))?;
        server.configure(settings)?;
        Ok(server)
    }

    /// Copies `primary` into an empty directory and starts the copy as its standby.
    fn follow(primary: &Self, directory: &Path, settings: &[&str]) -> Result<Self, String> {
        let server = Self::prepare(directory)?;
        let port = primary.port.to_string();
        let arguments = [
            "--no-sync",
            "-c",
            "fast",
            "-R",
            "-U",
            USER,
            "-p",
            &port,
            "-h",
        ];
        let arguments = arguments.map(OsStr::new).into_iter();
        let from = primary.directory.as_os_str();
        server.run("pg_basebackup", arguments.chain([from, OsStr::new("-D")]))?;
        server.configure(settings)?;
        Ok(server)
    }

    /// Gives an empty directory to the user that the server runs as, and finds a port.
    fn prepare(directory: &Path) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let root = make_readable(directory).map_err(text)?;
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(text)?
            .port();
        Ok(Self {
            directory: directory.to_owned(),
            root,
            port,
        })
    }

    /// Writes its settings and starts it.
    fn configure(&self, settings: &[&str]) -> Result<(), String> {
        let text = |error: std::io::Error| error.to_string();
        let own = format!(
            "listen_addresses = '127.0.0.1'\nport = {}\nunix_socket_directories = '{}'\n",
            self.port,
            self.directory.display()
        );
        let conf = self.data().join("postgresql.conf");
        let before = std::fs::read_to_string(&conf).map_err(text)?;
        let settings = settings.join("\n");
        std::fs::write(&conf, format!("{before}\n{own}{settings}\n")).map_err(text)?;
        self.start()
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    fn start(&self) -> Result<(), String> {
        self.run(
            "pg_ctl",
            ["-w", "-s", "start", "-t", "30", "-D"].map(OsStr::new),
        )
    }

    fn stop(&self, mode: &str) -> Result<(), String> {
        self.run("pg_ctl", ["-s", "-m", mode, "stop", "-D"].map(OsStr::new))
    }

    fn url(&self, user: &str, password: &str, database: &str) -> String {
        let encoded: String = password
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        format!(
            "postgres://{user}:{encoded}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    fn query(&self, database: &str, sql: &str) -> Result<String, String> {
        output(self.client("psql", database).args([
            "-X",
            "-q",
            "-A",
            "-t",
            "-v",
            "ON_ERROR_STOP=1",
            "-c",
            sql,
        ]))
    }

    /// The process of the server.
    fn pid(&self) -> Result<String, String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let file = file.map_err(|error| error.to_string())?;
        file.lines()
            .next()
            .map(str::to_owned)
            .ok_or_else(|| "an empty postmaster.pid".to_owned())
    }

    fn client(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(program(name));
        command
            .env("PGHOST", &self.directory)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", USER)
            .env("PGDATABASE", database);
        command
    }

    /// Runs one of the server's programs on its data directory, as somebody it accepts.
    fn run(
        &self,
        name: &str,
        arguments: impl IntoIterator<Item: AsRef<OsStr>>,
    ) -> Result<(), String> {
        let mut command = as_user(self.root, program(name));
        command
            .args(arguments)
            .arg(self.data())
            .current_dir(&self.directory);
        // The server would keep a pipe open for as long as it lives.
        let log = self.directory.join("log");
        let out = std::fs::File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(|error| error.to_string())?;
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(out)
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => Err(std::fs::read_to_string(log).unwrap_or_default()),
            Err(error) => Err(format!(
                "{name}: {error}; install Debian's package postgresql"
            )),
        }
    }
}

/// Lets the user that a server runs as into `directory`, with what is in it; tells whether we are root.
fn make_readable(directory: &Path) -> std::io::Result<bool> {
    let root = directory.metadata()?.uid() == 0;
    if root {
        let (user, group) = unprivileged();
        for entry in std::fs::read_dir(directory)? {
            chown(entry?.path(), Some(user), Some(group))?;
        }
        chown(directory, Some(user), Some(group))?;
        std::fs::set_permissions(directory, PermissionsExt::from_mode(0o755))?;
    }
    Ok(root)
}

/// A command that runs as the user `postgres` when we are root.
fn as_user(root: bool, program: PathBuf) -> Command {
    if !root {
        return Command::new(program);
    }
    let (user, group) = unprivileged();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.to_string(), "--regid", &group.to_string()]);
    command.arg("--clear-groups").arg(program);
    command
}

/// User and group of `postgres`, or nobody's where there is no such user.
fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let postgres = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    postgres.unwrap_or((65534, 65534))
}

/// One of PostgreSQL's programs: Debian keeps the server's beside the path.
fn program(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql");
    let installed = versions
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let version: u32 = entry.file_name().to_str()?.parse().ok()?;
            let path = entry.path().join("bin").join(name);
            path.exists().then_some((version, path))
        });
    installed
        .max_by_key(|(version, _)| *version)
        .map_or_else(|| PathBuf::from(name), |(_, path)| path)
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
