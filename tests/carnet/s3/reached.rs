//! How a bucket is reached: encrypted, and with credentials that the configuration doesn't hold.

use std::net::TcpListener;
use std::process::{Command, Output};

use carnet::export::artifact::ArtifactStore;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;

use super::{key, open, put};
use crate::support::s3::Buckets;
use crate::support::{Site, program};

#[tokio::test]
async fn an_encrypted_server_is_believed_when_an_authority_that_is_named_vouches_for_it() {
    let server = Buckets::start_encrypted(&["exports"]);
    let mut location = server.location("exports", "carnet");
    location.s3.allow_http = false;
    let store = open(location.clone()).await;
    store.verify().await.unwrap();
    put(&store, &key(1, 1), b"data", None).await.unwrap();

    location.s3.ca_file = None;
    let stranger = ArtifactStore::open(location.clone(), "log-1")
        .await
        .unwrap();
    let error = stranger.verify().await.unwrap_err();
    assert_eq!(error.code(), "storage_unreachable", "{error:?}");

    let folder = tempfile::tempdir().unwrap();
    for (text, problem) in [("", "ca_file"), ("no certificate", "ca_file")] {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, text).unwrap();
        location.s3.ca_file = Some(file);
        let error = ArtifactStore::open(location.clone(), "log-1")
            .await
            .unwrap_err();
        assert!(error.to_string().contains(problem), "{error}");
    }
}

/// `carnet config check` on a site whose bucket is reached with what the environment gives.
fn check(site: &Site, environment: &[(&str, &str)]) -> Output {
    let mut command = Command::new(program());
    // What the developer's own environment says of a bucket isn't meant.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    command
        .args(["config", "check", "--config"])
        .arg(site.config())
        .current_dir(site.path())
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

fn site(buckets: &Buckets) -> Site {
    let site = Site::new(1);
    let url = "url = \"s3://exports/carnet\"\n";
    site.edit_config("url = \"file:data/artifacts\"\n", url);
    site.add_config(&format!(
        "[s3.default]\nendpoint = \"{}\"\nallow_http = true\ntimeout = \"5s\"\n",
        buckets.endpoint()
    ));
    site
}

#[tokio::test]
async fn credentials_come_from_the_environment_or_the_machine_where_none_are_configured() {
    let buckets = Buckets::start(&["exports"]);
    let site = site(&buckets);
    // Nobody gives any: the machine's metadata service isn't there.
    let nobody = check(&site, &[("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")]);
    let said = String::from_utf8_lossy(&nobody.stderr).into_owned();
    assert!(
        !nobody.status.success() && said.contains("there are no credentials for the bucket"),
        "{said}"
    );

    let pair = [
        ("AWS_ACCESS_KEY_ID", "exports-id"),
        ("AWS_SECRET_ACCESS_KEY", "exports-secret"),
    ];
    let environment = check(&site, &pair);
    assert!(
        environment.status.success(),
        "{}",
        String::from_utf8_lossy(&environment.stderr)
    );

    let metadata = metadata_service();
    let machine = check(&site, &[("AWS_METADATA_ENDPOINT", &metadata)]);
    assert!(
        machine.status.success(),
        "{}",
        String::from_utf8_lossy(&machine.stderr)
    );
}

/// Stand-in for the metadata service of a machine in Amazon's cloud, which gives out credentials of its role.
fn metadata_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    // Not on this test's runtime, which the program under test keeps waiting. It ends with the process.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let answer = service_fn(|request: Request<Incoming>| async move {
                    Ok::<_, std::io::Error>(Response::new(of_machine(request.uri().path())))
                });
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), answer);
                tokio::spawn(connection);
            }
        });
    });
    address
}

fn of_machine(path: &str) -> String {
    match path {
        "/latest/api/token" => "a token".to_owned(),
        "/latest/meta-data/iam/security-credentials/" => "exporter".to_owned(),
        _ => serde_json::json!({
            "AccessKeyId": "exports-id",
            "SecretAccessKey": "exports-secret",
            "Token": "a session",
            "Expiration": "2999-01-01T00:00:00Z",
        })
        .to_string(),
    }
}
