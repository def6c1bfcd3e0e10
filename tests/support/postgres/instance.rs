//! A server in a directory: made, started, stopped, asked, by its own programs.

use std::ffi::{OsStr, OsString};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{PASSWORD, USER};

/// A server in a directory.
pub(super) struct Server {
    pub(super) directory: PathBuf,
    pub(super) root: bool,
    pub(super) port: u16,
}

impl Server {
    /// Makes one in an empty directory and starts it.
    pub(super) fn create(directory: &Path, settings: &[&str]) -> Result<Self, String> {
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
    pub(super) fn follow(
        primary: &Self,
        directory: &Path,
        settings: &[&str],
    ) -> Result<Self, String> {
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

    pub(super) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    pub(super) fn start(&self) -> Result<(), String> {
        self.run(
            "pg_ctl",
            ["-w", "-s", "start", "-t", "240", "-D"].map(OsStr::new),
        )
    }

    pub(super) fn stop(&self, mode: &str) -> Result<(), String> {
        self.run("pg_ctl", ["-s", "-m", mode, "stop", "-D"].map(OsStr::new))
    }

    pub(super) fn url(&self, user: &str, password: &str, database: &str) -> String {
        let encoded: String = password
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect();
        format!(
            "postgres://{user}:{encoded}@127.0.0.1:{}/{database}",
            self.port
        )
    }

    pub(super) fn query(&self, database: &str, sql: &str) -> Result<String, String> {
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
    pub(super) fn pid(&self) -> Result<String, String> {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid"));
        let file = file.map_err(|error| error.to_string())?;
        file.lines()
            .next()
            .map(str::to_owned)
            .ok_or_else(|| "an empty postmaster.pid".to_owned())
    }

    pub(super) fn client(&self, name: &str, database: &str) -> Command {
        let mut command = Command::new(program(name));
        command
            .env("PGHOST", &self.directory)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", USER)
            .env("PGDATABASE", database);
        command
    }

    /// Runs one of the server's programs on its data directory, as somebody it accepts.
    pub(super) fn run(
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
pub(super) fn make_readable(directory: &Path) -> std::io::Result<bool> {
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
pub(super) fn as_user(root: bool, program: PathBuf) -> Command {
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
pub(super) fn unprivileged() -> (u32, u32) {
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let postgres = users.lines().find_map(|line| {
        let mut fields = line.strip_prefix("postgres:")?.split(':').skip(1);
        Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
    });
    postgres.unwrap_or((65534, 65534))
}

/// One of PostgreSQL's programs: Debian keeps the server's beside the path.
pub(super) fn program(name: &str) -> PathBuf {
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

pub(super) fn output(command: &mut Command) -> Result<String, String> {
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
