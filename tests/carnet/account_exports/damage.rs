//! A changed byte in a stored file never reaches a client as a whole download or range.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use rusqlite::Connection;
use serde_json::json;

use crate::support::{Inside, Server, Site};

/// Text that doesn't compress, so that the file has several blocks.
fn incompressible(site: &Site) {
    let database: Connection = site.tenants();
    database
        .execute_batch(
            "with recursive n(i) as (select 1 union all select i + 1 from n where i < 3000)
             insert into tickets (tenant_id, subject) select 'acme', hex(randomblob(1000)) from n;",
        )
        .unwrap();
}

/// Where a file of an export is stored.
fn stored(site: &Site, id: &str, which: impl Fn(&str) -> bool) -> PathBuf {
    let files = site.artifact_files().into_iter();
    let mut of_it = files.filter(|file| {
        let name = file.to_str().unwrap();
        name.contains(id) && which(name)
    });
    let file = of_it.next().expect("the export has a file");
    assert_eq!(of_it.next(), None);
    site.path().join("data/artifacts").join(file)
}

#[tokio::test]
async fn damage_breaks_the_download_off_and_closes_the_file() {
    let site = Site::new(1);
    // Long hexadecimal words look like secrets; here they are let through.
    site.edit_config(
        r#"subject = { type = "text" }"#,
        r#"subject = { type = "text", rule = "keep", why = "a test" }"#,
    );
    incompressible(&site);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for (query, range) in [
        ("", None),
        ("?as=stored", None),
        ("?as=stored", Some("middle")),
    ] {
        let job = ada.export(&["tickets"]).await;
        let id = job["id"].as_str().unwrap();
        let bytes = job["artifact"]["bytes"].as_u64().unwrap();
        assert!(bytes > 2 * 1024 * 1024, "{bytes}");
        let file = stored(&site, id, |file| file.ends_with(".gz"));
        let mut content = fs::read(&file).unwrap();
        content[1_500_000] ^= 1;
        fs::write(&file, content).unwrap();

        let path = format!("/api/account-exports/{id}/download{query}");
        let range = range.map(|_| ("range", "bytes=1400000-1600000"));
        let headers: Vec<_> = range.into_iter().collect();
        let answer = ada.try_send(Method::GET, &path, &headers, None).await;
        assert!(
            answer.as_ref().is_none_or(|answer| answer.status == 503),
            "a damaged file was sent whole: {:?}",
            answer.map(|answer| (answer.status, answer.body.len()))
        );
        // What was found is written after the connection broke; from then on the file is closed.
        let mut after = None;
        for _ in 0..1_000 {
            after = ada.try_send(Method::GET, &path, &headers, None).await;
            if after.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let after = after.expect("the file is closed");
        assert_eq!(after.status, 503);
        assert_eq!(after.code(), "artifact_damaged");
    }
    assert_eq!(ada.audited("artifact_damaged", 3).await.len(), 3);
    let ended = ada.audit("download_ended").await;
    assert!(
        ended
            .iter()
            .all(|entry| entry["details"]["complete"] == false),
        "{ended:?}"
    );
}

#[tokio::test]
async fn no_flipped_byte_is_too_small_or_in_a_place_too_odd() {
    let site = Site::new(30);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for compression in ["none", "gzip", "zstd"] {
        for at in [0.0, 0.5, 1.0] {
            let body = json!({"categories": ["tickets"], "compression": compression});
            let job = ada.post("/api/account-exports", body).await.expect(202);
            let job = ada.settled(job.json()["id"].as_str().unwrap()).await;
            let id = job["id"].as_str().unwrap();
            let file = stored(&site, id, |_| true);
            let mut content = fs::read(&file).unwrap();
            let index = ((content.len() - 1) as f64 * at) as usize;
            content[index] ^= 0x40;
            fs::write(&file, content).unwrap();
            for (query, range) in [
                ("?as=stored", "bytes=0-0"),
                ("?as=stored", "bytes=-1"),
                ("?as=stored", ""),
                ("", ""),
            ] {
                let path = format!("/api/account-exports/{id}/download{query}");
                let headers = [("range", range)];
                let headers = if range.is_empty() { &[][..] } else { &headers };
                let answer = ada.try_send(Method::GET, &path, headers, None).await;
                // These files are one block, which is looked at before anything is promised.
                assert!(
                    answer.is_some_and(|answer| answer.status == 503),
                    "{compression}, byte {index}, {query} {range}"
                );
            }
        }
    }
}

#[tokio::test]
async fn the_digests_beside_a_large_file_are_checked_like_the_file() {
    let site = Site::new(1);
    site.edit_config(
        r#"subject = { type = "text" }"#,
        r#"subject = { type = "text", rule = "keep", why = "a test" }"#,
    );
    incompressible(&site);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let digests = stored(&site, id, |file| !file.ends_with(".gz"));
    let mut content = fs::read(&digests).unwrap();
    let last = content.len() - 1;
    content[last] ^= 1;
    fs::write(&digests, content).unwrap();
    let answer = ada.download(id, &[]).await.expect(503);
    assert_eq!(answer.code(), "artifact_damaged");
}

#[tokio::test]
async fn a_missing_or_cut_file_is_said_to_be_damaged() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for missing in [true, false] {
        let job = ada.export(&["tickets"]).await;
        let id = job["id"].as_str().unwrap();
        for file in site.artifact_files() {
            if file.to_string_lossy().contains(id) {
                let file = site.path().join("data/artifacts").join(file);
                if missing {
                    fs::remove_file(file).unwrap();
                } else {
                    let content = fs::read(&file).unwrap();
                    fs::write(&file, &content[..content.len() - 1]).unwrap();
                }
            }
        }
        let answer = ada.download(id, &[]).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.code(), "artifact_damaged");
    }
}

#[tokio::test]
async fn a_file_that_was_restored_is_served_again() {
    let site = Site::new(1);
    site.edit_config(
        r#"subject = { type = "text" }"#,
        r#"subject = { type = "text", rule = "keep", why = "a test" }"#,
    );
    incompressible(&site);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    for changed in [true, false] {
        let job = ada.export(&["tickets"]).await;
        let id = job["id"].as_str().unwrap();
        let file = stored(&site, id, |file| file.ends_with(".gz"));
        let whole = fs::read(&file).unwrap();
        if changed {
            let mut content = whole.clone();
            content[1_500_000] ^= 1;
            fs::write(&file, content).unwrap();
            let path = format!("/api/account-exports/{id}/download");
            assert!(ada.try_send(Method::GET, &path, &[], None).await.is_none());
        } else {
            fs::remove_file(&file).unwrap();
            let answer = ada.download(id, &[]).await.expect(503);
            assert_eq!(answer.code(), "artifact_damaged");
        }
        let found = 2 - usize::from(changed);
        assert_eq!(ada.audited("artifact_damaged", found).await.len(), found);
        // As long as it is damaged it is refused before a byte is sent, and said so once.
        let path = format!("/api/account-exports/{id}/download-link");
        for _ in 0..2 {
            let answer = ada.download(id, &[]).await.expect(503);
            assert_eq!(answer.code(), "artifact_damaged");
            let answer = ada.act(&path).await.expect(503);
            assert_eq!(answer.code(), "artifact_damaged");
        }
        let links = ada.get(&format!("/api/account-exports/{id}")).await.json();
        assert_eq!(links["_links"]["download"], json!(null));

        fs::write(&file, &whole).unwrap();
        let path_of_file = format!("/api/account-exports/{id}/download?as=stored");
        let answer = ada.get(&path_of_file).await.expect(200);
        assert!(answer.body == whole);
        ada.act(&path).await.expect(201);
        assert_eq!(ada.audit("artifact_damaged").await.len(), found);
        // Whoever looks at it, or at the list, sees that it can be had.
        assert_eq!(ada.audited("artifact_restored", found).await.len(), found);
        let job = ada.get(&format!("/api/account-exports/{id}")).await.json();
        let list = ada.get("/api/account-exports?page_size=1").await.json();
        assert_eq!(list["items"][0]["id"], id);
        for job in [&job, &list["items"][0]] {
            assert!(job["_links"]["download"].is_string(), "{job}");
        }
        if !changed {
            // What happens to it again is found and said again.
            fs::remove_file(&file).unwrap();
            ada.download(id, &[]).await.expect(503);
            assert_eq!(ada.audited("artifact_damaged", 3).await.len(), 3);
        }
    }
}

#[tokio::test]
async fn a_storage_that_is_away_damages_nothing() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let (volume, away) = (
        site.path().join("data/artifacts"),
        site.path().join("data/away"),
    );
    fs::rename(&volume, &away).unwrap();
    // What the directory looks like when its volume isn't mounted.
    fs::create_dir(&volume).unwrap();
    let answer = ada.download(id, &[]).await.expect(503);
    assert_eq!(answer.code(), "storage_unavailable");
    // No request is taken that could only fail, and use up a limit.
    let refused = ada.create(&["tickets"]).await.expect(503);
    assert_eq!(refused.code(), "storage_unverified");
    ada.get("/readyz").await.expect(503);
    fs::remove_dir_all(&volume).unwrap();
    fs::rename(&away, &volume).unwrap();
    ada.download(id, &[]).await.expect(200);
    assert!(ada.audit("artifact_damaged").await.is_empty());
    // It is soon found to work again.
    ada.becomes_ready().await;
    ada.create(&["tickets"]).await.expect(202);
}

#[tokio::test]
async fn what_was_stored_before_a_tenant_had_its_own_storage_is_served_from_the_common_one() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let before = ada.export(&["tickets"]).await;
    assert!(server.stop().0.success());
    site.add_config("\n[tenants.acme]\nartifacts = \"file:data/acme\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let after = ada.export(&["tickets"]).await;
    for job in [&before, &after] {
        let id = job["id"].as_str().unwrap();
        ada.download(id, &[]).await.expect(200);
    }
    let own = site.path().join("data/acme/acme");
    assert_eq!(fs::read_dir(own).unwrap().count(), 1, "the new one");
    assert!(ada.audit("artifact_damaged").await.is_empty());
}

#[tokio::test]
async fn a_file_in_a_storage_that_is_away_isnt_said_to_be_deleted() {
    let site = Site::new(3);
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let job = ada.export(&["tickets"]).await;
    let file = stored(&site, job["id"].as_str().unwrap(), |_| true);
    let (volume, away) = (
        site.path().join("data/artifacts"),
        site.path().join("data/away"),
    );
    fs::rename(&volume, &away).unwrap();
    fs::create_dir(&volume).unwrap();
    inside.advance(Duration::from_secs(8 * 86_400));
    ada.audited("expired", 1).await;
    // Rounds enough to write what isn't so.
    for _ in 0..5 {
        inside.advance(Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(ada.audit("artifact_deleted").await.is_empty());
    fs::remove_dir_all(&volume).unwrap();
    fs::rename(&away, &volume).unwrap();
    assert!(file.exists());
    inside.advance(Duration::from_secs(60));
    ada.audited("artifact_deleted", 1).await;
    assert!(!file.exists());
}

/// Has the log say of an export's document what isn't so: its digest is `to` instead of `from`.
fn published(site: &Site, from: &str, to: &str) {
    let mut log = Connection::open(site.path().join("data/events.db")).unwrap();
    let guard = "select sql from sqlite_schema where name = 'events_are_never_changed'";
    let guard: String = log.query_row(guard, [], |row| row.get(0)).unwrap();
    let change = log.transaction().unwrap();
    change
        .execute_batch("drop trigger events_are_never_changed")
        .unwrap();
    let sql = "update events set data = cast(replace(cast(data as text), ?1, ?2) as blob)
               where kind = 'completed' and instr(data, ?1)";
    assert_eq!(change.execute(sql, [from, to]).unwrap(), 1);
    change.execute_batch(&guard).unwrap();
    change.commit().unwrap();
}

/// Every block of such a file is whole, so that blocks can't tell whether the document is.
#[tokio::test]
async fn a_document_that_is_damaged_in_whole_blocks_is_restored_only_when_it_is_whole() {
    let site = Site::new(30);
    site.add_config("[store]\nurl = \"sqlite:data/events.db\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let digest = job["artifact"]["json_sha256"].as_str().unwrap();
    server.stop();
    let digest = digest.trim_start_matches("sha256:");
    let other: String = digest.chars().rev().collect();
    published(&site, digest, &other);

    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let path = format!("/api/account-exports/{id}/download");
    let decoded = ada.try_send(Method::GET, &path, &[], None).await;
    assert!(decoded.is_none(), "a damaged document was sent whole");
    ada.audited("artifact_damaged", 1).await;
    // Neither looked at again nor sent as it is stored: nor is it said to be restored.
    let stored = format!("{path}?as=stored");
    for path in [&path, &stored, &path] {
        let answer = ada.try_send(Method::GET, path, &[], None).await.unwrap();
        assert_eq!(answer.expect(503).code(), "artifact_damaged");
    }
    let link = format!("/api/account-exports/{id}/download-link");
    assert_eq!(ada.act(&link).await.expect(503).code(), "artifact_damaged");
    let history = ada.get(&format!("/api/account-exports/{id}/history")).await;
    let history = history.expect(200).body;
    let history = String::from_utf8_lossy(&history).into_owned();
    assert!(history.contains(r#""document":true"#), "{history}");
    assert!(ada.audit("artifact_restored").await.is_empty());
    assert_eq!(ada.audit("artifact_damaged").await.len(), 1);
    server.stop();

    // As if another release read it rightly.
    published(&site, &other, digest);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    ada.get(&stored).await.expect(200);
    ada.audited("artifact_restored", 1).await;
    ada.act(&link).await.expect(201);
    let whole = ada.try_send(Method::GET, &path, &[], None).await.unwrap();
    whole.expect(200);
}
