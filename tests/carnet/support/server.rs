//! A server process, started on a site and stopped, or killed, by the test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Browser, Client, Site};

/// A running `carnet serve`. Killed when dropped.
pub(crate) struct Server {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

impl Server {
    /// Starts the service on `site` and waits until it says where it listens.
    pub(crate) fn start(site: &Site) -> Self {
        Self::try_start(site).unwrap_or_else(|log| panic!("the service did not start:\n{log}"))
    }

    /// Starts the service; gives its log when it ends before it listens.
    pub(crate) fn try_start(site: &Site) -> Result<Self, String> {
        Self::try_start_with(site, &[])
    }

    /// The same, with settings of the configuration replaced: `("STORE__URL", "…")`.
    pub(crate) fn try_start_with(site: &Site, settings: &[(&str, &str)]) -> Result<Self, String> {
        let settings = settings.iter();
        let mut child = Command::new(super::program())
            .args(["serve", "--config"])
            .arg(site.config())
            .envs(settings.map(|(key, value)| (format!("CARNET__{key}"), value)))
            .current_dir(site.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let stderr = collect(
            BufReader::new(child.stderr.take().unwrap()),
            Arc::clone(&log),
        );
        let mut line = String::new();
        stdout.read_line(&mut line).unwrap();
        let Some(address) = line
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
        else {
            let _ = child.wait();
            stderr.join().unwrap();
            return Err(log.lock().unwrap().clone());
        };
        let address = address.trim_end_matches(['/', '.']).to_owned();
        let stdout = collect(stdout, Arc::clone(&log));
        Ok(Self {
            child,
            address,
            log,
            readers: vec![stdout, stderr],
        })
    }

    /// A client with `token`.
    pub(crate) fn client(&self, token: &str) -> Client {
        Client::new(&self.address, token)
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.address)
    }

    /// `http://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The process's id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What the process has written to its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The log, once it has `text`: it is gathered beside the test.
    pub(crate) async fn logged(&self, text: &str) -> String {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let log = self.log();
            if log.contains(text) {
                return log;
            }
            assert!(Instant::now() < patience, "never {text:?}: {log}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Sends a signal: `STOP`, `CONT`.
    pub(crate) fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status();
        assert!(sent.unwrap().success());
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop, as a service manager does, and waits for it.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        (status, self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn collect(mut from: impl BufRead + Send + 'static, into: Arc<Mutex<String>>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut line = Vec::new();
        while from
            .by_ref()
            .take(64 * 1024)
            .read_until(b'\n', &mut line)
            .is_ok_and(|read| read > 0)
        {
            into.lock()
                .unwrap()
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    })
}
