//! The whole service on buckets: exports stored there, read back, refused, deleted.

use serde_json::Value;

use crate::support::s3::{Buckets, Fault};
use crate::support::{Server, Site};

/// A site whose artifacts go to a bucket.
fn site(server: &Buckets, bucket: &str, rows: u32) -> Site {
    let site = Site::new(rows);
    let url = format!("url = \"s3://{bucket}/carnet\"\ns3 = \"main\"\n");
    site.edit_config("url = \"file:data/artifacts\"\n", &url);
    site.add_config(&server.section("main", bucket));
    site
}

fn id(job: &Value) -> String {
    job["id"].as_str().unwrap().to_owned()
}

/// The keys of stored artifacts.
fn artifacts(server: &Buckets, bucket: &str) -> Vec<String> {
    let keys = server.objects(bucket).into_keys();
    keys.filter(|key| key.ends_with(".json.gz")).collect()
}

fn verify(site: &Site, file: &[u8], name: &str) {
    let path = site.path().join(name);
    std::fs::write(&path, file).unwrap();
    let verified = site.carnet(&["verify", path.to_str().unwrap()]);
    assert!(
        verified.status.success(),
        "{}",
        String::from_utf8_lossy(&verified.stdout)
    );
}

#[tokio::test]
async fn an_export_in_a_bucket_downloads_whole_decoded_and_in_ranges() {
    let buckets = Buckets::start(&["exports"]);
    // Incompressible enough to be of several blocks.
    let site = site(&buckets, "exports", 60_000);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users", "tickets"]).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert!(artifacts(&buckets, "exports")[0].starts_with(&format!("carnet/acme/{}/", id(&job))));

    // What a crash leaves there can't be found by itself, and that is said.
    server.logged("AbortIncompleteMultipartUpload").await;

    let path = format!("/api/account-exports/{}/download", id(&job));
    let stored = ada.get(&format!("{path}?as=stored")).await.expect(200);
    assert_eq!(
        stored.body.len() as u64,
        job["artifact"]["bytes"].as_u64().unwrap()
    );
    verify(&site, &stored.body, "stored.json.gz");
    let plain = ada.get(&path).await.expect(200);
    verify(&site, &plain.body, "plain.json");
    for (range, from, to) in [
        ("bytes=0-9", 0, 10),
        ("bytes=500000-1200000", 500_000, 1_200_001),
    ] {
        let part = ada
            .send(
                reqwest::Method::GET,
                &format!("{path}?as=stored"),
                &[("range", range)],
                None,
            )
            .await
            .expect(206);
        let to = to.min(stored.body.len());
        assert!(part.body == stored.body[from.min(to)..to], "{range}");
    }
}

#[tokio::test]
async fn damage_in_a_bucket_is_found_before_a_byte_of_it_is_sent() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 50);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users"]).await;
    let file = buckets.file("exports", &artifacts(&buckets, "exports")[0]);
    let mut bytes = std::fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    let path = format!("/api/account-exports/{}/download?as=stored", id(&job));
    for damaged in [&bytes[..], b"cut"] {
        std::fs::write(&file, damaged).unwrap();
        let refused = ada.get(&path).await.expect(503);
        assert_eq!(refused.code(), "artifact_damaged");
    }
}

#[tokio::test]
async fn tenants_with_buckets_of_their_own_share_nothing() {
    let buckets = Buckets::start(&["acme-exports", "globex-exports"]);
    let site = Site::new(20);
    site.add_config(&format!(
        "{}{}\n[tenants.acme]\nartifacts = \"s3://acme-exports/carnet\"\ns3 = \"acme\"\n[tenants.globex]\nartifacts = \"s3://globex-exports\"\ns3 = \"globex\"\n",
        buckets.section("acme", "acme-exports"),
        buckets.section("globex", "globex-exports"),
    ));
    let server = Server::start(&site);
    for tenant in ["acme", "globex"] {
        let client = server.client(&site.token(tenant, "ada"));
        let job = client.export(&["users"]).await;
        assert_eq!(job["status"], "completed", "{job}");
        let file = client.download(&id(&job), &[]).await.expect(200);
        verify(&site, &file.body, "one.json");
        let bucket = format!("{tenant}-exports");
        let stored = artifacts(&buckets, &bucket);
        assert!(
            stored.len() == 1 && stored[0].contains(&format!("{tenant}/")),
            "{stored:?}"
        );
    }
    assert!(
        site.artifact_files()
            .iter()
            .all(|file| !file.to_str().unwrap().ends_with(".gz"))
    );
    assert!(!server.log().contains("-secret"), "{}", server.log());
}

#[tokio::test]
async fn a_bucket_that_isnt_there_is_said_at_the_start_and_no_request_is_taken_for_it() {
    let buckets = Buckets::start(&["acme-exports"]);
    let site = Site::new(20);
    site.add_config(&format!(
        "{}{}\n[tenants.acme]\nartifacts = \"s3://acme-exports\"\ns3 = \"acme\"\n[tenants.globex]\nartifacts = \"s3://missing/carnet\"\ns3 = \"globex\"\n",
        buckets.section("acme", "acme-exports"),
        buckets.section("globex", "missing"),
    ));
    let checked = site.carnet(&[
        "config",
        "check",
        "--config",
        site.config().to_str().unwrap(),
    ]);
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(
        !checked.status.success() && said.contains("tenants.globex.artifacts"),
        "{said}"
    );
    assert!(
        said.contains("the bucket isn't there") && said.contains("create it, or correct its name"),
        "{said}"
    );

    let server = Server::start(&site);
    let log = server.logged("tenants.globex.artifacts").await;
    assert!(log.contains("create it"), "{log}");
    let globex = server.client(&site.token("globex", "gus"));
    let refused = globex.create(&["users"]).await.expect(503);
    assert_eq!(refused.code(), "storage_unverified");
    // Others aren't held up by it, and the node isn't taken out of rotation.
    let acme = server.client(&site.token("acme", "ada"));
    assert_eq!(acme.export(&["users"]).await["status"], "completed");
    acme.becomes_ready().await;
}

/// Stand-in: the server judges no tokens; a real one answers so.
#[tokio::test]
async fn credentials_that_expire_fail_the_export_with_a_reason_and_lose_nothing() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 20);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let before = ada.export(&["users"]).await;
    buckets.fault(Fault::Answer(400, "ExpiredToken"), usize::MAX, |_| true);
    let failed = ada.export(&["users"]).await;
    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["reason"]["code"], "storage_denied", "{failed}");
    // The storage was tried by itself after that, and is in doubt until it is tried again.
    let log = server.logged("an artifact storage doesn't work").await;
    assert!(log.contains("have expired: renew them"), "{log}");
    let refused = ada.download(&id(&before), &[]).await.expect(503);
    assert_eq!(refused.code(), "storage_unavailable");

    buckets.heal();
    ada.download(&id(&before), &[]).await.expect(200);
    ada.becomes_ready().await;
    let after = ada.export(&["users"]).await;
    assert_eq!(after["status"], "completed", "{after}");
    assert_eq!(artifacts(&buckets, "exports").len(), 2);
}

#[tokio::test]
async fn a_bucket_of_another_log_keeps_the_service_from_starting() {
    let buckets = Buckets::start(&["exports"]);
    drop(Server::start(&site(&buckets, "exports", 5)));
    let Err(log) = Server::try_start(&site(&buckets, "exports", 5)) else {
        panic!("it started on a bucket of another log");
    };
    assert!(log.contains("belongs to the event log"), "{log}");
}

#[tokio::test]
async fn a_cancelled_export_leaves_nothing_in_the_bucket() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 20);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    // It waits for the bucket when it is cancelled.
    buckets.fault(Fault::Silence, usize::MAX, |asked| {
        asked.uri.contains("/acme/")
    });
    let job = ada.create(&["users"]).await.expect(202).json();
    ada.reaches(&id(&job), "running").await;
    let path = format!("/api/account-exports/{}/cancel", id(&job));
    ada.post(&path, serde_json::json!({})).await.expect(200);
    buckets.heal();
    assert_eq!(ada.settled(&id(&job)).await["status"], "cancelled");
    for _ in 0..6_000 {
        if artifacts(&buckets, "exports").is_empty() && buckets.unfinished().is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!(
        "left behind: {:?} {:?}",
        buckets.objects("exports"),
        buckets.unfinished()
    );
}

/// Asks without a token, and follows no redirect.
async fn follow_none(url: &str) -> reqwest::Response {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let request = client
        .build()
        .unwrap()
        .get(url)
        .header("accept-encoding", "gzip");
    request.send().await.unwrap()
}

/// Follows a redirect without the service's token.
async fn follow(answer: &crate::support::Answer, headers: &[(&str, &str)]) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(answer.header("location"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.unwrap()
}

#[tokio::test]
async fn presigned_downloads_come_from_the_bucket_and_are_recorded_for_what_they_are() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 500);
    site.edit_config("[artifacts]\n", "[artifacts]\ndownloads = \"presigned\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users"]).await;
    let path = format!("/api/account-exports/{}/download", id(&job));
    let ada = ada.staying();
    let get = async |query: &str, headers: &[(&str, &str)]| {
        ada.send(
            reqwest::Method::GET,
            &format!("{path}{query}"),
            headers,
            None,
        )
        .await
    };

    let stored = get("?as=stored", &[]).await.expect(307);
    assert_eq!(stored.header("cache-control"), "no-store");
    assert_eq!(stored.header("referrer-policy"), "no-referrer");
    assert!(stored.header("location").starts_with(&buckets.endpoint()));
    let answer = follow(&stored, &[]).await;
    assert_eq!(answer.status(), 200);
    let name = format!("attachment; filename=\"carnet-{}.json.gz\"", id(&job));
    assert_eq!(answer.headers()["content-disposition"], *name);
    assert_eq!(answer.headers()["content-type"], "application/gzip");
    let file = answer.bytes().await.unwrap();
    verify(&site, &file, "stored.json.gz");
    let part = follow(&stored, &[("range", "bytes=0-99")]).await;
    assert_eq!(part.status(), 206);
    assert!(part.bytes().await.unwrap() == file[..100]);

    let coded = get("", &[("accept-encoding", "gzip")]).await.expect(307);
    let answer = follow(&coded, &[]).await;
    assert_eq!(answer.headers()["content-encoding"], "gzip");
    assert_eq!(answer.headers()["content-type"], "application/json");
    assert!(answer.bytes().await.unwrap() == file);

    // A link leads to the service, which checks again and then points to the bucket.
    let link = ada.act(&format!("{path}-link")).await.expect(201).json();
    let url = link["url"].as_str().unwrap();
    assert!(!url.contains("X-Amz"), "{url}");
    let through = follow_none(url).await;
    assert_eq!(through.status(), 307);
    assert!(
        through.headers()["location"]
            .to_str()
            .unwrap()
            .contains("X-Amz-Expires=60")
    );

    // What a bucket can't do goes through the service.
    let plain = get("", &[]).await.expect(200);
    verify(&site, &plain.body, "plain.json");
    ada.send(reqwest::Method::HEAD, &path, &[], None)
        .await
        .expect(200);

    // An address is of this one object.
    let other = stored
        .header("location")
        .replace("carnet/acme", "carnet/globex");
    assert_eq!(reqwest::get(other).await.unwrap().status(), 403);

    let records = ada.audited("downloaded", 3).await;
    let forms: Vec<_> = records
        .iter()
        .filter_map(|it| it["details"]["representation"].as_str())
        .collect();
    assert!(
        forms.contains(&"presigned_stored") && forms.contains(&"presigned_json"),
        "{records:?}"
    );
    assert!(
        !server.log().contains("X-Amz-Signature"),
        "{}",
        server.log()
    );
}

#[tokio::test]
async fn a_presigned_address_dies() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 5);
    site.edit_config(
        "[artifacts]\n",
        "[artifacts]\ndownloads = \"presigned\"\npresigned_ttl = \"1s\"\n",
    );
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada")).staying();
    let job = ada.export(&["users"]).await;
    let path = format!("/api/account-exports/{}/download?as=stored", id(&job));
    let address = ada.get(&path).await.expect(307);
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(follow(&address, &[]).await.status(), 403);
    // The service gives out another, to whoever may have one.
    ada.get(&path).await.expect(307);
}

#[tokio::test]
async fn every_presigned_address_is_on_record_whatever_range_was_asked_for() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 5);
    site.edit_config("[artifacts]\n", "[artifacts]\ndownloads = \"presigned\"\n");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada")).staying();
    let job = ada.export(&["users"]).await;
    let path = format!("/api/account-exports/{}/download?as=stored", id(&job));
    let range = [("range", "bytes=0-0")];
    let address = ada.send(reqwest::Method::GET, &path, &range, None).await;
    let whole = follow(&address.expect(307), &[]).await;
    assert_eq!(whole.status(), 200, "the address is one of the whole file");
    let records = ada.audited("downloaded", 1).await;
    let details = &records[0]["details"];
    assert_eq!(details["representation"], "presigned_stored");
    assert_eq!(
        details["partial"], false,
        "a part of a download isn't counted: {records:?}"
    );
}

#[tokio::test]
async fn a_bucket_that_is_away_damages_nothing() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets, "exports", 5);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users"]).await;
    let (bucket, away) = (buckets.file("exports", ""), buckets.file("away", ""));
    std::fs::rename(&bucket, &away).unwrap();
    let refused = ada.download(&id(&job), &[]).await.expect(503);
    assert_eq!(refused.code(), "storage_unavailable");
    std::fs::rename(&away, &bucket).unwrap();
    ada.download(&id(&job), &[]).await.expect(200);
    assert!(ada.audit("artifact_damaged").await.is_empty());
}
