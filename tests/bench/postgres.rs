//! A PostgreSQL of one's own: made in a temporary directory, reached through a socket there, gone with the value.
//!
//! It runs with its defaults (`fsync` and `synchronous_commit` on), for durability is what is compared.

use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// What PostgreSQL runs as when we are root, which it refuses to be.
const NOBODY: u32 = 65534;

pub struct Postgres {
    directory: TempDir,
    root: bool,
}

impl Postgres {
    /// Starts one, or says why there is none.
    pub fn start(max_connections: usize) -> Result<Self, String> {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let root = directory
            .path()
            .metadata()
            .is_ok_and(|directory| directory.uid() == 0);
        if root {
            chown(directory.path(), Some(NOBODY), Some(NOBODY))
                .map_err(|error| error.to_string())?;
        }
        let postgres = Self { directory, root };
        let data = postgres.directory.path().join("data");
        let options = format!(
            "-k '{}' -c listen_addresses='' -c max_connections={max_connections}",
            postgres.directory.path().display()
        );
        postgres.run(
            "initdb",
            ["-A", "trust", "-U", "bench", "-D"].map(OsStr::new),
            &data,
        )?;
        postgres.run(
            "pg_ctl",
            ["-w", "-s", "start", "-o", &options, "-D"].map(OsStr::new),
            &data,
        )?;
        Ok(postgres)
    }

    /// Runs SQL.
    pub fn execute(&self, sql: &str) -> Result<(), String> {
        output(
            self.client("psql")
                .args(["-q", "-v", "ON_ERROR_STOP=1", "-c", sql]),
        )
        .map(drop)
    }

    /// Runs a `pgbench` script with prepared statements and gives its transactions per second. Each client has a variable
    /// `n` of its own, -1 at first.
    pub fn bench(&self, script: &str, clients: usize, seconds: u64) -> Result<f64, String> {
        let file = self.directory.path().join("script.sql");
        std::fs::write(&file, script).map_err(|error| error.to_string())?;
        let (clients, seconds) = (clients.to_string(), seconds.to_string());
        let mut pgbench = self.client("pgbench");
        pgbench.args([
            "-n",
            "-M",
            "prepared",
            "-D",
            "n=-1",
            "-j",
            if clients == "1" { "1" } else { "2" },
        ]);
        pgbench
            .args(["-c", &clients, "-T", &seconds, "-f"])
            .arg(file);
        let report = output(&mut pgbench)?;
        let tps = report
            .lines()
            .find_map(|line| line.strip_prefix("tps = ")?.split(' ').next()?.parse().ok());
        tps.ok_or(report)
    }

    fn client(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("PGHOST", self.directory.path())
            .env("PGUSER", "bench")
            .env("PGDATABASE", "postgres");
        command
    }

    /// Runs one of the server's programs on its data directory, as somebody it accepts.
    fn run(
        &self,
        program: &str,
        arguments: impl IntoIterator<Item: AsRef<OsStr>>,
        data: &Path,
    ) -> Result<(), String> {
        let mut command = if self.root {
            let mut command = Command::new("setpriv");
            let id = NOBODY.to_string();
            command.args(["--reuid", &id, "--regid", &id, "--clear-groups", program]);
            command
        } else {
            Command::new(program)
        };
        command
            .args(arguments)
            .arg(data)
            .current_dir(self.directory.path());
        // The server would keep a pipe open for as long as it lives.
        let log = std::fs::File::create(self.directory.path().join("log"))
            .map_err(|error| error.to_string())?;
        let status = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .status();
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(_) => {
                Err(std::fs::read_to_string(self.directory.path().join("log")).unwrap_or_default())
            }
            Err(error) => Err(format!("{program}: {error}")),
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let data = self.directory.path().join("data");
        let _ = self.run(
            "pg_ctl",
            ["-s", "-m", "immediate", "stop", "-D"].map(OsStr::new),
            &data,
        );
    }
}

fn output(command: &mut Command) -> Result<String, String> {
    let output = command
        .output()
        .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        Ok(text(&output.stdout))
    } else {
        Err(text(&output.stderr))
    }
}
