//! Clients that stop reading, or go away: they hold up nobody, and what they held is free again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::json;
use socket2::{Domain, Socket, Type};

use super::until;
use crate::support::{Client, Server, Site};

/// An export whose file is larger than all that lies between the service and a client that doesn't read.
async fn large_file(client: &Client) -> (String, usize) {
    let body = json!({"categories": ["tickets"], "compression": "none"});
    let path = "/api/account-exports";
    let job = client.post(path, body).await.expect(202).json();
    let job = client.settled(job["id"].as_str().unwrap()).await;
    let bytes = job["artifact"]["bytes"].as_u64().unwrap();
    assert!(bytes > 12_000_000, "{job}");
    (job["id"].as_str().unwrap().to_owned(), bytes as usize)
}

/// Two downloads or event streams for each person.
fn site() -> Site {
    let site = Site::new(1);
    site.edit_config(
        "listen = \"127.0.0.1:0\"",
        "listen = \"127.0.0.1:0\"\nmax_streams = 16\nstall_timeout = \"15s\"",
    );
    // Long hexadecimal words look like secrets; here they are let through.
    site.edit_config(
        r#"subject = { type = "text" }"#,
        r#"subject = { type = "text", rule = "keep", why = "a test" }"#,
    );
    site.tenants()
        .execute_batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 400)
             insert into tickets (tenant_id, subject) select 'acme', hex(zeroblob(16000)) from n;",
        )
        .unwrap();
    site
}

/// A connection that has asked for `path`, has read the beginning of the answer, and reads no more; `None` when there is no
/// room for it.
fn stalled(server: &Server, token: &str, path: &str) -> Option<TcpStream> {
    let address: SocketAddr = server
        .address()
        .strip_prefix("http://")
        .unwrap()
        .parse()
        .unwrap();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.connect(&address.into()).unwrap();
    let mut connection = TcpStream::from(socket);
    connection
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    let request =
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut beginning = [0; 12];
    connection.read_exact(&mut beginning).unwrap();
    match &beginning {
        b"HTTP/1.1 200" => Some(connection),
        b"HTTP/1.1 503" => None,
        _ => panic!("{path}: {}", String::from_utf8_lossy(&beginning)),
    }
}

/// How many of the things that the process has open are such.
fn open(server: &Server, such: impl Fn(&str) -> bool) -> usize {
    let links = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap();
    let targets = links.filter_map(|link| fs::read_link(link.ok()?.path()).ok());
    targets
        .filter(|target| such(&target.to_string_lossy()))
        .count()
}

/// Files under the artifacts' folder.
fn open_artifacts(server: &Server) -> usize {
    open(server, |target| target.contains("/data/artifacts/"))
}

/// Connections, and what it listens at. Databases aren't counted: more readers at once open more of them, and keep them.
fn open_sockets(server: &Server) -> usize {
    open(server, |target| target.starts_with("socket:"))
}

#[tokio::test]
async fn clients_that_stop_reading_hold_up_nobody_and_are_let_go_after_a_while() {
    let site = site();
    let server = Server::start(&site);
    let (adas, bobs) = (site.token("acme", "ada"), site.token("acme", "bob"));
    let (ada, bob) = (server.client(&adas), server.client(&bobs));
    let (id, bytes) = large_file(&ada).await;
    let path = format!("/api/account-exports/{id}/download?as=stored");
    let mut idle = [(); 2].map(|()| stalled(&server, &adas, &path).expect("room"));

    // Her share is taken; everything else goes on, for her and for others.
    let third = ada.get(&path).await.expect(503);
    assert_eq!(third.code(), "overloaded");
    assert!(!third.header("retry-after").is_empty());
    assert_eq!(bob.get(&path).await.expect(200).body.len(), bytes);
    assert_eq!(ada.export(&["users"]).await["status"], "completed");

    // They never read again, and don't hang up either: their connections are ended for them.
    until("both stalled downloads to be ended", || async {
        let room = [(); 2].map(|()| stalled(&server, &adas, &path));
        room.iter().all(Option::is_some).then_some(())
    })
    .await;
    // Bob's is one of them.
    let ended = ada.audited("download_ended", 2).await;
    let broken_off = |entry: &&serde_json::Value| entry["details"]["complete"] == false;
    assert!(ended.iter().any(|entry| broken_off(&entry)), "{ended:?}");
    until("the file to be closed", || async {
        (open_artifacts(&server) == 0).then_some(())
    })
    .await;
    for connection in &mut idle {
        let mut rest = Vec::new();
        let _ = connection.read_to_end(&mut rest);
        assert!(rest.len() < bytes, "a whole file was read");
    }
}

#[tokio::test]
async fn clients_that_go_away_leave_nothing_behind() {
    let site = site();
    site.add_slow_category("slow", crate::account_exports::FOREVER);
    let server = Server::start(&site);
    let adas = site.token("acme", "ada");
    let ada = server.client(&adas);
    let (id, _) = large_file(&ada).await;
    let running = ada.create(&["slow"]).await.expect(202).json();
    let download = format!("/api/account-exports/{id}/download?as=stored");
    let events = format!(
        "/api/account-exports/{}/events",
        running["id"].as_str().unwrap()
    );
    ada.reaches(running["id"].as_str().unwrap(), "running")
        .await;
    let before = open_sockets(&server);
    for _ in 0..5 {
        for path in [&download, &events] {
            // All she may have open at once; each time there is room for them again.
            let mut gone = Vec::new();
            for _ in 0..2 {
                let one = until("her share to be free again", || async {
                    stalled(&server, &adas, path)
                });
                gone.push(one.await);
            }
        }
    }
    until("everything to be closed", || async {
        // The client's own connections are kept for its next requests.
        let closed = open_artifacts(&server) == 0 && open_sockets(&server) <= before + 4;
        closed.then_some(())
    })
    .await;
    ada.get(&download).await.expect(200);
}
