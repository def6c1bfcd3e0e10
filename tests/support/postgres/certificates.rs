//! Certificates of one's own, and a server that has one.

#![allow(clippy::expect_used, reason = "a test without certificates fails")]

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Postgres;

fn openssl(directory: &Path, arguments: &str) {
    let status = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .expect("openssl, which comes with Debian's package postgresql");
    assert!(status.success(), "openssl {arguments}");
}

/// A server whose certificate is for `localhost`, signed by `ca.pem`, which doesn't use it before `ssl` is on; and a directory
/// with that and a foreign CA.
pub fn server() -> (Postgres, TempDir) {
    let files = tempfile::tempdir().expect("a file");
    let at = files.path();
    for ca in ["ca", "foreign"] {
        openssl(
            at,
            &format!(
                "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN={ca} -keyout {ca}.key -out {ca}.pem"
            ),
        );
    }
    openssl(
        at,
        "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout server.key -out server.csr",
    );
    std::fs::write(at.join("names"), "subjectAltName=DNS:localhost\n").expect("a file");
    openssl(
        at,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.pem",
    );
    let postgres = Postgres::start(&["ssl_min_protocol_version = 'TLSv1.2'"]).expect("a server");
    for (from, to) in [("server.pem", "server.crt"), ("server.key", "server.key")] {
        postgres.put(&at.join(from), to).expect("a file");
    }
    (postgres, files)
}
