//! Servers that won't have us, and what is no PostgreSQL server: told apart, so that the remedy is the right one.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use carnet_events::store::postgres::connect::{Address, ConnectError, Limits};

use crate::connect::connect;
use crate::server::shared;

const LIMITS: Limits = Limits {
    message: 1 << 20,
    value: 1 << 20,
};

/// The modes, from nothing to all that can be asked of a server.
const MODES: [&str; 4] = ["disable", "prefer", "require", "verify-full"];

/// A stand-in for a server: to what it is sent it answers these, one after the other, and hangs up.
fn answering(answers: &[&[u8]]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answers: Vec<Vec<u8>> = answers.iter().map(|answer| answer.to_vec()).collect();
    // It ends with the test's process, which waits for nobody.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let _ = answer(stream.unwrap(), &answers);
        }
    });
    format!("postgres://me:secret@127.0.0.1:{port}/x")
}

fn answer(mut stream: TcpStream, answers: &[Vec<u8>]) -> std::io::Result<()> {
    for answer in answers {
        if stream.read(&mut [0; 4096])? == 0 {
            return Ok(());
        }
        stream.write_all(answer)?;
    }
    // So that nothing unread turns the end into a reset.
    stream.shutdown(Shutdown::Write)?;
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// An error as servers send it.
fn refusal(code: &str, message: &str) -> Vec<u8> {
    let fields = format!("SFATAL\0VFATAL\0C{code}\0M{message}\0\0");
    let length = u32::try_from(fields.len() + 4).unwrap();
    [b"E", &length.to_be_bytes()[..], fields.as_bytes()].concat()
}

/// Why there is no connection there, whoever asks: the log, and whoever reads what others wrote.
async fn refused(url: &str, mode: &str) -> ConnectError {
    let (address, _) = Address::parse(&format!("{url}?sslmode={mode}"), &[]).unwrap();
    let error = address.connect().await.unwrap_err();
    assert_eq!(address.connect_bounded(LIMITS).await.unwrap_err(), error);
    let said = error.to_string();
    assert!(!said.contains("secret"), "{said}");
    error
}

#[tokio::test]
async fn a_refusal_before_tls_is_no_trouble_with_tls() {
    let url = answering(&[&refusal("53300", "come to evil.example")]);
    for mode in MODES {
        let error = refused(&url, mode).await;
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("53300"), "{mode}: {said}");
        assert!(!said.contains("sslrootcert"), "{mode}: {said}");
        // Anybody may have said it, where TLS was asked for.
        assert_eq!(said.contains("evil"), mode == "disable", "{said}");
    }
}

#[tokio::test]
async fn a_server_without_room_for_a_process_is_busy() {
    let url = answering(&[b"Ecould not fork new process for connection: out of memory\n\0"]);
    for mode in MODES {
        let error = refused(&url, mode).await;
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn a_refusal_after_the_question_for_tls_is_told_in_its_words() {
    for (code, message) in [
        ("53300", "sorry, too many clients already"),
        ("57P03", "the database system is starting up"),
        ("57P03", "the database system is shutting down"),
    ] {
        let url = answering(&[b"N", &refusal(code, message)]);
        let error = refused(&url, "prefer").await;
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[tokio::test]
async fn whoever_hangs_up_is_not_there_now() {
    for answers in [&[&b""[..]][..], &[b"S"], &[b"N", b""]] {
        let url = answering(answers);
        let error = refused(&url, "prefer").await;
        assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_is_no_postgresql_is_said_to_be_none() {
    for foreign in [
        &b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"[..],
        b"220 mail.example ESMTP\r\n",
        // Its first letter is what a server says that has TLS.
        b"SSH-2.0-OpenSSH_9.2\r\n",
    ] {
        let url = answering(&[foreign]);
        for mode in MODES {
            let error = refused(&url, mode).await;
            assert!(
                matches!(error, ConnectError::NotPostgres { .. }),
                "{mode}: {error:?}"
            );
            assert!(error.to_string().contains("host and port"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_server_without_tls_is_told_from_all_these() {
    let url = answering(&[b"N"]);
    for mode in ["require", "verify-full"] {
        let error = refused(&url, mode).await;
        assert!(matches!(error, ConnectError::Tls { .. }), "{error:?}");
        assert!(error.to_string().contains("sslmode"), "{error}");
    }
    // One that knows no TLS from the first byte on hangs up.
    let error = refused(&answering(&[b""]), "require&sslnegotiation=direct").await;
    assert!(error.to_string().contains("PostgreSQL 17"), "{error}");
}

#[tokio::test]
async fn a_role_without_room_is_busy() {
    let role = format!("full_{}", std::process::id());
    shared::query(&format!(
        "drop role if exists {role}; create role {role} login password 'x' connection limit 0"
    ));
    let url = shared::url_of(&role, "x");
    let error = connect(&url).await.unwrap_err();
    shared::query(&format!("drop role {role}"));
    assert!(matches!(error, ConnectError::Busy { .. }), "{error:?}");
    assert!(error.to_string().contains("53300"), "{error}");
}

#[tokio::test]
async fn a_host_that_says_nothing_is_passed_over_for_the_next() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let here = format!("127.0.0.1:{}", shared::port());
    let both = shared::url().replace(&here, &format!("127.0.0.1:{port},{here}"));
    connect(&format!("{both}?connect_timeout=1")).await.unwrap();
}
