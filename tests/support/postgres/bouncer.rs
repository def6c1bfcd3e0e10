//! A PgBouncer of one's own in transaction mode before a server: every transaction may get another connection.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::instance::{as_user, make_readable};
use super::{PASSWORD, USER};

pub struct Bouncer {
    process: Child,
    port: u16,
    _directory: TempDir,
}

impl Bouncer {
    /// Starts one before the server at `port`, with so many connections to it.
    pub fn start(port: u16, connections: usize) -> Result<Self, String> {
        let text = |error: std::io::Error| error.to_string();
        let directory = tempfile::tempdir().map_err(text)?;
        let own = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .and_then(|listener| listener.local_addr())
            .map_err(text)?
            .port();
        let users = directory.path().join("users");
        std::fs::write(&users, format!("\"{USER}\" \"{PASSWORD}\"\n")).map_err(text)?;
        let settings = directory.path().join("pgbouncer.ini");
        let ini = format!(
            "[databases]\n* = host=127.0.0.1 port={port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {own}\n\
             unix_socket_dir =\nauth_type = scram-sha-256\nauth_file = {}\npool_mode = transaction\n\
             default_pool_size = {connections}\nmax_client_conn = 500\nserver_round_robin = 1\nserver_login_retry = 1\n",
            users.display()
        );
        std::fs::write(&settings, ini).map_err(text)?;
        let root = make_readable(directory.path()).map_err(text)?;
        let mut command = as_user(root, "pgbouncer".into());
        let process = command
            .arg("-q")
            .arg(&settings)
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("pgbouncer: {error}; install Debian's package pgbouncer"))?;
        let bouncer = Self {
            process,
            port: own,
            _directory: directory,
        };
        for _ in 0..6_000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, own)).is_ok() {
                return Ok(bouncer);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("pgbouncer does not answer; install Debian's package pgbouncer".to_owned())
    }

    /// The URL of a database of the server, through here.
    pub fn before(&self, url: &str) -> String {
        let (address, rest) = url.split_once("127.0.0.1:").expect("a URL of the harness");
        let (_, path) = rest.split_once('/').expect("a database");
        format!("{address}127.0.0.1:{}/{path}", self.port)
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
