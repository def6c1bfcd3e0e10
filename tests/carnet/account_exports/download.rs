//! `GET|HEAD …/{id}/download`: representations, ranges, digests, and the end of the download window.

use std::io::Read as _;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use reqwest::Method;

use crate::support::{Answer, Client, Inside, Server, Site};

fn repr_digest(representation: &[u8]) -> String {
    let digest = digest(&SHA256, representation);
    let text = base64::engine::general_purpose::STANDARD.encode(digest.as_ref());
    format!("sha-256=:{text}:")
}

fn hex_digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(digest(&SHA256, bytes).as_ref()))
}

#[track_caller]
fn common_headers(answer: &Answer, id: &str, extension: &str) {
    let name = format!("attachment; filename=\"carnet-{id}.{extension}\"");
    assert_eq!(answer.header("content-disposition"), name);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("vary"), "Accept-Encoding");
}

async fn send(
    client: &Client,
    method: Method,
    id: &str,
    query: &str,
    headers: &[(&str, &str)],
) -> Answer {
    let path = format!("/api/account-exports/{id}/download{query}");
    client.send(method, &path, headers, None).await
}

#[tokio::test]
async fn one_document_in_the_coding_that_the_client_accepts() {
    let site = Site::new(200);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets", "users"]).await;
    let id = job["id"].as_str().unwrap();
    let get =
        async |headers: &[(&str, &str)]| send(&ada, Method::GET, id, "", headers).await.expect(200);

    let plain = get(&[]).await;
    common_headers(&plain, id, "json");
    assert_eq!(plain.header("content-type"), "application/json");
    assert_eq!(plain.header("content-encoding"), "");
    assert_eq!(plain.header("repr-digest"), repr_digest(&plain.body));
    assert_eq!(job["artifact"]["json_sha256"], hex_digest(&plain.body));
    assert_eq!(job["artifact"]["json_bytes"], plain.body.len());
    assert_eq!(
        plain.json()["manifest"]["checksum"],
        job["artifact"]["checksum"]
    );

    let coded = get(&[("accept-encoding", "br, gzip;q=0.5")]).await;
    common_headers(&coded, id, "json");
    assert_eq!(coded.header("content-type"), "application/json");
    assert_eq!(coded.header("content-encoding"), "gzip");
    assert_eq!(coded.header("repr-digest"), repr_digest(&coded.body));
    assert_eq!(job["artifact"]["sha256"], hex_digest(&coded.body));
    let mut decoded = Vec::new();
    flate2::read::GzDecoder::new(&coded.body[..])
        .read_to_end(&mut decoded)
        .unwrap();
    assert_eq!(decoded, plain.body);
    for refused in ["gzip;q=0", "identity", "br, zstd", "*;q=0"] {
        let answer = get(&[("accept-encoding", refused)]).await;
        assert_eq!(
            (answer.header("content-encoding"), &answer.body),
            ("", &plain.body),
            "{refused}"
        );
    }

    let stored = send(&ada, Method::GET, id, "?as=stored", &[])
        .await
        .expect(200);
    common_headers(&stored, id, "json.gz");
    assert_eq!(stored.header("content-type"), "application/gzip");
    assert_eq!(stored.header("content-encoding"), "");
    assert_eq!(stored.body, coded.body);
    assert_eq!(stored.header("repr-digest"), repr_digest(&stored.body));

    // Each representation has its own tag, and is told unchanged by it alone.
    let tags = [&plain, &coded, &stored].map(|answer| answer.header("etag").to_owned());
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
    for (tag, status) in [(&tags[0], 304), (&tags[1], 200)] {
        send(&ada, Method::GET, id, "", &[("if-none-match", tag)])
            .await
            .expect(status);
    }
    for (query, headers, same) in [
        ("", &[][..], &plain),
        ("", &[("accept-encoding", "gzip")][..], &coded),
        ("?as=stored", &[][..], &stored),
    ] {
        let head = send(&ada, Method::HEAD, id, query, headers)
            .await
            .expect(200);
        assert!(head.body.is_empty());
        for name in [
            "etag",
            "repr-digest",
            "content-length",
            "content-type",
            "content-encoding",
            "vary",
            "accept-ranges",
            "content-disposition",
            "cache-control",
        ] {
            assert_eq!(head.header(name), same.header(name), "{name}");
        }
    }
    assert_eq!(
        send(&ada, Method::GET, id, "?as=pdf", &[])
            .await
            .expect(400)
            .code(),
        "malformed_request"
    );
}

#[tokio::test]
async fn the_stored_file_comes_in_ranges_and_the_document_does_not() {
    let site = Site::new(300);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = ada.export(&["tickets", "users"]).await["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let whole = send(&ada, Method::GET, &id, "?as=stored", &[])
        .await
        .expect(200);
    let (all, tag, digest) = (
        &whole.body,
        whole.header("etag"),
        whole.header("repr-digest"),
    );
    let length = all.len();
    assert_eq!(whole.header("accept-ranges"), "bytes");
    for (range, from, to) in [
        ("bytes=0-0".to_owned(), 0, 1),
        ("bytes=7-99".to_owned(), 7, 100),
        (format!("bytes={}-", length - 5), length - 5, length),
        ("bytes=-9".to_owned(), length - 9, length),
        (format!("bytes=0-{}", length * 2), 0, length),
    ] {
        for headers in [
            vec![("range", range.as_str())],
            vec![("range", range.as_str()), ("if-range", tag)],
        ] {
            let part = send(&ada, Method::GET, &id, "?as=stored", &headers)
                .await
                .expect(206);
            assert_eq!(
                part.header("content-range"),
                format!("bytes {from}-{}/{length}", to - 1)
            );
            assert_eq!(part.body, all[from..to], "{range}");
            assert_eq!(
                (part.header("repr-digest"), part.header("etag")),
                (digest, tag)
            );
        }
    }
    // A client that has one half of another file gets the whole of this one.
    for other in ["\"other\"", "Sat, 14 Nov 2026 10:00:00 GMT"] {
        let headers = [("range", "bytes=7-99"), ("if-range", other)];
        let answer = send(&ada, Method::GET, &id, "?as=stored", &headers)
            .await
            .expect(200);
        assert_eq!(&answer.body, all);
    }
    let beyond = format!("bytes={length}-");
    let answer = send(&ada, Method::GET, &id, "?as=stored", &[("range", &beyond)])
        .await
        .expect(416);
    assert_eq!(answer.code(), "range_not_satisfiable");
    assert_eq!(answer.header("content-range"), format!("bytes */{length}"));
    let document = send(&ada, Method::GET, &id, "", &[("range", "bytes=0-0")])
        .await
        .expect(200);
    assert_eq!(document.header("accept-ranges"), "none");
    assert!(document.body.len() > 1);
    // The two halves of a broken-off download make the file.
    let head = send(
        &ada,
        Method::GET,
        &id,
        "?as=stored",
        &[("range", "bytes=0-499")],
    )
    .await;
    let tail = send(
        &ada,
        Method::GET,
        &id,
        "?as=stored",
        &[("range", "bytes=500-"), ("if-range", tag)],
    )
    .await;
    assert_eq!(&[head.body, tail.body].concat(), all);

    let ended = ada.audited("download_ended", 1).await;
    assert!(ended.iter().all(|entry| entry["export_id"] == id.as_str()));
    // The ranges of one download are one record.
    let started = ada.audit("downloaded").await;
    let stored = started
        .iter()
        .filter(|entry| entry["details"]["representation"] == "stored");
    assert_eq!(stored.count(), 1, "{started:?}");
}

#[tokio::test]
async fn other_compressions_are_negotiated_alike() {
    let site = Site::new(50);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for (compression, media_type, extension) in [
        ("zstd", "application/zstd", "json.zst"),
        ("none", "application/json", "json"),
    ] {
        let body = serde_json::json!({"categories": ["users"], "compression": compression});
        let job = ada
            .post("/api/account-exports", body)
            .await
            .expect(202)
            .json();
        let id = job["id"].as_str().unwrap();
        ada.settled(id).await;
        let stored = send(&ada, Method::GET, id, "?as=stored", &[])
            .await
            .expect(200);
        common_headers(&stored, id, extension);
        assert_eq!(stored.header("content-type"), media_type);
        let plain = send(&ada, Method::GET, id, "", &[("accept-encoding", "gzip")])
            .await
            .expect(200);
        assert_eq!(plain.header("content-encoding"), "");
        assert_eq!(plain.header("repr-digest"), repr_digest(&plain.body));
        assert_eq!(plain.json()["manifest"]["categories"]["users"]["rows"], 50);
        let coded = send(&ada, Method::GET, id, "", &[("accept-encoding", "zstd")])
            .await
            .expect(200);
        let expected = if compression == "zstd" { "zstd" } else { "" };
        assert_eq!(coded.header("content-encoding"), expected);
        assert_eq!(coded.body, stored.body);
    }
}

#[tokio::test]
async fn after_seven_days_the_file_is_gone() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let week = Duration::from_secs(7 * 86_400);
    let finished: carnet_events::ids::Timestamp =
        job["finished_at"].as_str().unwrap().parse().unwrap();
    let ends: carnet_events::ids::Timestamp = job["expires_at"].as_str().unwrap().parse().unwrap();
    // The clock stands still; what the export took is counted all the same.
    assert!(ends >= finished.plus(week) && ends < finished.plus(week + Duration::from_secs(600)));
    let link = ada
        .act(job["_links"]["download_link"].as_str().unwrap())
        .await
        .expect(201)
        .json();
    assert!(link["url"].as_str().unwrap().contains("/downloads/"));

    inside.advance(ends.since(inside.now()) - Duration::from_millis(1));
    ada.download(id, &[]).await.expect(200);
    inside.advance(Duration::from_millis(1));
    for query in ["", "?as=stored"] {
        let gone = send(&ada, Method::GET, id, query, &[]).await.expect(410);
        assert_eq!(gone.code(), "expired");
    }
    let job = ada.reaches(id, "expired").await;
    assert!(job["_links"].get("download").is_none(), "{job}");
    ada.audited("expired", 1).await;
    assert_eq!(ada.audit("download_blocked").await[0]["code"], "expired");

    // The file itself goes an hour later, so that a running download survives.
    assert!(
        !site
            .artifact_files()
            .iter()
            .all(|file| !file.to_string_lossy().contains(id))
    );
    inside.advance(Duration::from_secs(3_600));
    let deleted = ada.audited("artifact_deleted", 1).await;
    assert_eq!(
        deleted[0]["details"]["bytes"], job["artifact"]["bytes"],
        "{deleted:?}"
    );
    assert!(
        site.artifact_files()
            .iter()
            .all(|file| !file.to_string_lossy().contains(id))
    );
    assert_eq!(
        send(&ada, Method::GET, id, "", &[])
            .await
            .expect(410)
            .code(),
        "expired"
    );
}
