#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::ffi::OsString;

use secrecy::ExposeSecret;

use crate::config::load::from_text;
use crate::config::{Config, ConfigError};

const AUTH: &str = "[auth]\nissuer = \"https://login.example\"\nhs256_secret = \"0123456789abcdef0123456789abcdef\"\n";

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env: Vec<_> = (env
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v))))
    .collect();
    from_text(&format!("{AUTH}{text}"), "carnet.toml", env)
}

#[test]
fn a_storage_uses_the_section_it_names_else_the_default_one_else_the_environment() {
    let config = load(
        "[artifacts]\nurl = \"s3://common-exports\"\n\
         [s3.default]\nregion = \"eu-central-1\"\naccess_key_id = \"common\"\nsecret_access_key = \"s1\"\n\
         [s3.acme]\nendpoint = \"https://minio.example:9000\"\naccess_key_id = \"acme\"\nsecret_access_key = \"s2\"\nchecksums = false\n\
         [tenants.acme]\nartifacts = \"s3://acme-exports/carnet\"\ns3 = \"acme\"\n\
         [tenants.globex]\nartifacts = \"s3://globex-exports\"\n",
        &[],
    )
    .unwrap();
    let (common, own) = config.storages().unwrap();
    let keys = |location: &super::Location| {
        let pair = location.s3.credentials.as_ref().unwrap();
        (
            pair.access_key_id.clone(),
            pair.secret_access_key.expose_secret().to_owned(),
        )
    };
    let pair = |id: &str, secret: &str| (id.to_owned(), secret.to_owned());
    assert_eq!(keys(&common), pair("common", "s1"));
    assert_eq!(common.s3.region.as_deref(), Some("eu-central-1"));
    let of = |tenant: &str| &own[&carnet_events::ids::TenantId::new(tenant).unwrap()];
    assert_eq!(keys(of("acme")), pair("acme", "s2"));
    assert!(of("acme").s3.without_checksums && of("acme").s3.endpoint.is_some());
    assert_eq!(keys(of("globex")), pair("common", "s1"));

    let plain = load("[artifacts]\nurl = \"s3://common-exports\"\n", &[]).unwrap();
    assert!(plain.storages().unwrap().0.s3.credentials.is_none());
}

#[test]
fn secrets_are_never_shown_and_may_come_from_the_environment_or_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("secret");
    std::fs::write(&file, "from the file\n").unwrap();
    let text = format!(
        "[artifacts]\nurl = \"s3://common-exports\"\ns3 = \"files\"\n\
         [s3.main]\nsecret_access_key = \"in the text\"\n\
         [s3.files]\naccess_key_id = \"id\"\nsecret_access_key_file = \"{}\"\n",
        file.display()
    );
    let env = [
        ("CARNET__S3__MAIN__ACCESS_KEY_ID", "0123"),
        ("CARNET__S3__MAIN__SECRET_ACCESS_KEY", "987654321"),
    ];
    let config = load(&text, &env).unwrap();
    assert_eq!(config.s3["main"].access_key_id.as_deref(), Some("0123"));
    assert_eq!(
        config.s3["main"]
            .secret_access_key
            .as_ref()
            .unwrap()
            .expose(),
        "987654321"
    );
    let (common, _) = config.storages().unwrap();
    let secret = |location: &super::Location| {
        let pair = location.s3.credentials.clone().unwrap();
        pair.secret_access_key.expose_secret().to_owned()
    };
    assert_eq!(secret(&common), "from the file");
    let shown = format!(
        "{config:?}{common:?}{}{}",
        config.shown_toml().unwrap(),
        config.shown().unwrap()
    );
    for secret in ["in the text", "987654321", "from the file"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }

    std::fs::write(&file, " \n").unwrap();
    let complaint = config.storages().unwrap_err().complaints.remove(0);
    assert_eq!(complaint.key, "s3.files.secret_access_key_file");
    assert!(complaint.problem.contains("is empty"), "{complaint}");
}

#[test]
fn what_cant_work_is_refused_by_name() {
    for (text, key) in [
        ("[artifacts]\nurl = \"s3://Bad_Bucket\"\n", "artifacts.url"),
        (
            "[artifacts]\nurl = \"s3://key:secret@bucket\"\n",
            "artifacts.url",
        ),
        (
            "[artifacts]\nurl = \"s3://bucket\"\ns3 = \"none\"\n",
            "artifacts.s3",
        ),
        ("[s3.a]\nendpoint = \"minio.example\"\n", "s3.a.endpoint"),
        (
            "[s3.a]\nendpoint = \"http://minio.example\"\n",
            "s3.a.endpoint",
        ),
        (
            "[s3.a]\nendpoint = \"https://me:pw@minio.example\"\n",
            "s3.a.endpoint",
        ),
        ("[s3.a]\nregion = \"eu central\"\n", "s3.a.region"),
        ("[s3.a]\naccess_key_id = \"id\"\n", "s3.a.access_key_id"),
        (
            "[s3.a]\nsecret_access_key = \"s\"\nsecret_access_key_file = \"f\"\naccess_key_id = \"id\"\n",
            "s3.a.access_key_id",
        ),
        (
            "[artifacts]\nurl = \"s3://bucket\"\n[tenants.acme]\nartifacts = \"s3://bucket/acme\"\n",
            "tenants.acme.artifacts",
        ),
        (
            "[artifacts]\nurl = \"s3://bucket/a/b\"\n[tenants.acme]\nartifacts = \"s3://bucket/a\"\n",
            "artifacts.url",
        ),
    ] {
        let Err(error) = load(text, &[]) else {
            panic!("accepted: {text}");
        };
        assert_eq!(error.complaints[0].key, key, "{text}: {error}");
    }
    for text in [
        "[artifacts]\nurl = \"s3://bucket/a\"\n[tenants.acme]\nartifacts = \"s3://bucket/ab\"\n",
        "[artifacts]\nurl = \"s3://bucket/a\"\n[tenants.acme]\nartifacts = \"s3://bucket/a\"\n",
        "[artifacts]\nurl = \"s3://bucket\"\n[tenants.acme]\nartifacts = \"s3://bucket/a\"\ns3 = \"x\"\n[s3.x]\nendpoint = \"https://other.example\"\n",
    ] {
        load(text, &[]).unwrap();
    }
}
