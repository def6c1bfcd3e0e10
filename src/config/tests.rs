#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::ffi::OsString;

use super::load::from_text;
use super::*;
use crate::export::catalog::ColumnConfig;

const AUTH: &str = "[auth]\nissuer = \"https://login.example\"\nhs256_secret = \"0123456789abcdef0123456789abcdef\"\n";

fn load(text: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let env = env
        .iter()
        .map(|(k, v)| (OsString::from(k), OsString::from(v)))
        .collect::<Vec<_>>();
    from_text(text, "carnet.toml", env)
}

fn refusal(text: &str, env: &[(&str, &str)]) -> Complaint {
    match load(text, env) {
        Ok(_) => panic!("accepted: {text}"),
        Err(mut error) => error.complaints.remove(0),
    }
}

#[test]
fn the_commented_file_shows_the_defaults() {
    let shown: Config = figment::Figment::from(
        <figment::providers::Toml as figment::providers::Format>::string(DEFAULT_TOML),
    )
    .extract()
    .unwrap();
    assert_eq!(shown, Config::default());
}

/// The commented file with its examples taken for keys.
fn with_examples() -> toml::Table {
    let is_key = |line: &str| {
        let name = line.split_once(" = ").map_or("", |(name, _)| name);
        !name.is_empty()
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    let is_section = |line: &str| {
        let line = line.split('#').next().unwrap_or_default().trim_end();
        line.starts_with('[') && line.ends_with(']')
    };
    let shown = DEFAULT_TOML
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(example) if is_key(example) || is_section(example) => example,
            _ => line,
        });
    toml::from_str(&shown.collect::<Vec<_>>().join("\n")).unwrap()
}

/// The keys of a section, as reading one complains of what isn't among them.
fn keys_of<T: serde::de::DeserializeOwned>() -> Vec<String> {
    let unknown = <figment::providers::Toml as figment::providers::Format>::string("\"?\" = 0");
    match figment::Figment::from(unknown)
        .extract::<T>()
        .err()
        .map(|error| error.kind)
    {
        Some(figment::error::Kind::UnknownField(_, known)) => {
            known.iter().map(ToString::to_string).collect()
        }
        other => panic!("takes any key: {other:?}"),
    }
}

/// What stands at `path`: each section of a list, and of `*` each of whatever name.
fn sections<'a>(table: &'a toml::Table, path: &[&str]) -> Vec<&'a toml::Table> {
    let Some((first, rest)) = path.split_first() else {
        return vec![table];
    };
    let found = table
        .iter()
        .filter(|(name, _)| *first == "*" || *first == name.as_str());
    let within = found.flat_map(|(_, value)| match value {
        toml::Value::Array(list) => list.iter().filter_map(toml::Value::as_table).collect(),
        value => value.as_table().into_iter().collect::<Vec<_>>(),
    });
    within.flat_map(|table| sections(table, rest)).collect()
}

#[test]
fn the_commented_file_names_every_key() {
    let shown = with_examples();
    for (path, keys) in [
        (&[][..], keys_of::<Config>()),
        (&["server"], keys_of::<Server>()),
        (&["auth"], keys_of::<Auth>()),
        (&["auth", "claims"], keys_of::<Claims>()),
        (&["auth", "session"], keys_of::<Session>()),
        (&["auth", "oidc"], keys_of::<Oidc>()),
        (&["keys"], keys_of::<Keys>()),
        (&["store"], keys_of::<Store>()),
        (&["projections"], keys_of::<Projections>()),
        (&["artifacts"], keys_of::<Artifacts>()),
        (&["s3", "*"], keys_of::<S3>()),
        (&["limits"], keys_of::<Limits>()),
        (&["workers"], keys_of::<Workers>()),
        (&["source"], keys_of::<SourceConfig>()),
        (&["category"], keys_of::<CategoryConfig>()),
        (&["category", "columns", "*"], keys_of::<ColumnConfig>()),
        (&["tenants", "*"], keys_of::<Tenant>()),
    ] {
        let sections = sections(&shown, path);
        for key in keys {
            let named = sections.iter().any(|section| section.contains_key(&key));
            assert!(named, "{}.{key}", path.join("."));
        }
    }
}

#[test]
fn the_commented_catalog_compiles() {
    let mut shown = with_examples();
    shown.retain(|name, _| name == "source" || name == "category");
    let config: Config = shown.try_into().unwrap();
    let catalog = config.catalog().unwrap();
    assert!(
        catalog
            .categories()
            .all(|category| category.rules.binds_scope)
    );
}

#[test]
fn environment_overrides_the_file() {
    let config = load(
        AUTH,
        &[
            ("CARNET__SERVER__LISTEN", "0.0.0.0:9"),
            ("CARNET__AUTH__CLAIMS__TENANT", "org"),
            ("CARNET__WORKERS__MAX_RUNNING", "7"),
            ("CARNET__LIMITS__REQUEST_ROLES", r#"["a","b"]"#),
            (
                "CARNET__AUTH__HS256_SECRET",
                "12345678901234567890123456789012",
            ),
            ("CARNET_OTHER", "untouched"),
        ],
    )
    .unwrap();
    assert_eq!(config.server.listen.port(), 9);
    assert_eq!(config.auth.claims.tenant, "org");
    assert_eq!(config.workers.max_running, 7);
    assert_eq!(config.limits.request_roles, ["a", "b"]);
    assert_eq!(
        config.auth.hs256_secret.unwrap().expose(),
        "12345678901234567890123456789012"
    );
}

#[test]
fn what_a_variable_leaves_out_of_a_window_is_that_windows_default() {
    for (text, env) in [
        ("", ("CARNET__LIMITS__PER_USER__ACCEPTED", "5")),
        ("[limits]\nper_user = { accepted = 5 }\n", ("X", "")),
    ] {
        let config = load(&format!("{AUTH}{text}"), &[env]).unwrap();
        assert_eq!(config.limits.per_user.accepted, 5);
        assert_eq!(config.limits.per_user.window, Span::hours(24));
        assert_eq!(config.limits.per_tenant, Limits::default().per_tenant);
    }
    let both = "[limits]\nper_tenant = { window = \"1h\" }\n";
    let over = [("CARNET__LIMITS__PER_TENANT__ACCEPTED", "7")];
    let config = load(&format!("{AUTH}{both}"), &over).unwrap();
    let window = config.limits.per_tenant;
    assert_eq!((window.accepted, window.window), (7, Span::hours(1)));
    let complaint = refusal(AUTH, &[("CARNET__LIMITS__PER_USER__ACCEPT", "7")]);
    assert!(complaint.remedy.contains("accepted"), "{complaint}");
}

#[test]
fn what_a_key_takes_as_text_may_look_like_anything() {
    let config = load(
        AUTH,
        &[
            ("CARNET__AUTH__AUDIENCE", "0123"),
            ("CARNET__AUTH__CLAIMS__USER", "true"),
            ("CARNET__AUTH__OIDC__ISSUER", "https://login.example"),
            ("CARNET__AUTH__OIDC__CLIENT_ID", "1.50"),
        ],
    )
    .unwrap();
    assert_eq!(config.auth.audience, "0123");
    assert_eq!(config.auth.claims.user, "true");
    assert_eq!(config.auth.oidc.unwrap().client_id, "1.50");
    let complaint = refusal(AUTH, &[("CARNET__WORKERS__MAX_RUNNING", "true")]);
    assert!(complaint.problem.contains("true"), "{complaint}");
    let complaint = refusal(&format!("{AUTH}audience = 7\n"), &[]);
    assert_eq!(complaint.remedy, "write a text in quotes, as in \"text\"");
}

#[test]
fn a_variable_means_the_section_that_the_file_has_in_whatever_case() {
    let text = format!("{AUTH}[tenants.AcmeInc]\nmodules = []\n");
    let env = [
        ("CARNET__TENANTS__ACMEINC__MODULES", "[\"support\"]"),
        ("CARNET__TENANTS__Globex__MODULES", "[]"),
    ];
    let config = load(&text, &env).unwrap();
    let names: Vec<&str> = config.tenants.keys().map(String::as_str).collect();
    assert_eq!(names, ["AcmeInc", "globex"]);
    assert_eq!(
        config.tenants["AcmeInc"].modules.as_deref(),
        Some(&["support".to_owned()][..])
    );
}

#[test]
fn an_unknown_key_is_refused_with_file_key_and_remedy() {
    let complaint = refusal(
        &format!("{AUTH}\n[server]\nlisten = \"127.0.0.1:1\"\nmax_request = 3\n"),
        &[],
    );
    assert_eq!(complaint.file, "carnet.toml");
    assert_eq!(complaint.key, "server.max_request");
    assert!(
        complaint.remedy.contains("did you mean `max_requests`?"),
        "{complaint}"
    );

    let complaint = refusal(&format!("{AUTH}\n[serve]\nx = 1\n"), &[]);
    assert_eq!(complaint.key, "serve");

    let complaint = refusal(AUTH, &[("CARNET__SERVER__LISSEN", "x")]);
    assert_eq!(
        complaint.file,
        "environment variable CARNET__SERVER__LISSEN"
    );
}

#[test]
fn a_short_link_is_refused_only_where_addresses_are_given_out() {
    let short = format!("{AUTH}\n[artifacts]\nlink_ttl = \"30s\"\n");
    assert!(load(&short, &[]).is_ok(), "presigned_ttl was never set");
    let complaint = refusal(&format!("{short}downloads = \"presigned\"\n"), &[]);
    assert_eq!(complaint.key, "artifacts.presigned_ttl");
}

#[test]
fn a_member_of_a_list_is_named_by_its_number() {
    let category = "[[category]]\nid = \"a\"\ntitle = \"A\"\nsource = \"s\"\nquery = \"q\"\n[category.columns]\nx = { type = \"txt\" }\n";
    let complaint = refusal(&format!("{AUTH}{category}"), &[]);
    assert_eq!(complaint.key, "category.0.columns.x.type");
    assert!(
        complaint.remedy.contains("did you mean `text`?"),
        "{complaint}"
    );
}

#[test]
fn a_format_or_compression_that_isnt_known_is_refused() {
    for (key, known) in [("format", "json"), ("compression", "gzip")] {
        let complaint = refusal(&format!("{AUTH}[artifacts]\n{key} = \"csv\"\n"), &[]);
        assert_eq!(complaint.key, format!("artifacts.{key}"));
        assert!(complaint.problem.contains("\"csv\""), "{complaint}");
        assert!(complaint.remedy.contains(known), "{complaint}");
    }
}

#[test]
fn bounds_are_kept() {
    for (key, text) in [
        ("workers.lease", "[workers]\nlease = \"2s\""),
        ("workers.lease", "[workers]\nlease = \"11m\""),
        (
            "limits.per_user.window",
            "[limits]\nper_user = { accepted = 1, window = \"32d\" }",
        ),
        (
            "limits.per_tenant.accepted",
            "[limits]\nper_tenant = { accepted = 0, window = \"1d\" }",
        ),
        ("limits.request_roles", "[limits]\nrequest_roles = []"),
        (
            "limits.request_roles",
            "[limits]\nrequest_roles = [\"operator\"]",
        ),
        ("store.url", "[store]\nurl = \"mysql:x\""),
        ("artifacts.url", "[artifacts]\nurl = \"s3://x\""),
        ("artifacts.ttl", "[artifacts]\nttl = \"0s\""),
        ("artifacts.ttl", "[artifacts]\nttl = \"soon\""),
        ("server.public_url", "[server]\npublic_url = \"exports\""),
        (
            "server.public_url",
            "[server]\npublic_url = \"https://x.example/exports\"",
        ),
        ("tenants.a.artifacts", "[tenants.a]\nartifacts = \"x\""),
    ] {
        let complaint = refusal(&format!("{AUTH}{text}\n"), &[]);
        assert_eq!(complaint.key, key, "{text}: {complaint}");
        assert!(!complaint.remedy.is_empty());
    }
}

#[test]
fn sign_in_must_be_said() {
    let error = load("", &[]).unwrap_err();
    let keys: Vec<&str> = error.complaints.iter().map(|c| c.key.as_str()).collect();
    assert_eq!(keys, ["auth.issuer", "auth"]);
    assert_eq!(
        refusal("[auth]\nissuer = \"x\"\nhs256_secret = \"short\"\n", &[]).key,
        "auth.hs256_secret"
    );
    assert_eq!(
        refusal(
            "[auth]\nissuer = \"x\"\njwks_url = \"http://login.example/keys\"\n",
            &[]
        )
        .key,
        "auth.jwks_url"
    );
    assert_eq!(
        refusal(&format!("{AUTH}leeway = \"31s\"\n"), &[]).key,
        "auth.leeway"
    );
}

#[test]
fn malformed_text_names_the_file() {
    let complaint = refusal("[server\n", &[]);
    assert_eq!(complaint.file, "carnet.toml");
    assert!(complaint.problem.contains("line 1"), "{complaint}");
}

#[test]
fn paths_are_relative_to_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("carnet.toml");
    std::fs::write(&file, format!("{AUTH}[store]\nurl = \"sqlite:a/b.db\"\n[artifacts]\nurl = \"file:/var/x\"\n[[source]]\nname = \"s\"\nurl = \"sqlite:s.db\"\n")).unwrap();
    let config = load::from_file(&file, []).unwrap();
    assert_eq!(
        config.store.url,
        format!("sqlite:{}", dir.path().join("a/b.db").display())
    );
    assert_eq!(config.artifacts.url, "file:/var/x");
    assert_eq!(
        config.sources[0].url,
        format!("sqlite:{}", dir.path().join("s.db").display())
    );
    assert_eq!(config.keys.file, dir.path().join("data/keys"));
}

#[test]
fn printing_masks_secrets_and_reads_back() {
    let config = load(
        &format!("{AUTH}[[source]]\nname = \"s\"\nurl = \"postgres://u:hunter2@db.example/x\"\n"),
        &[],
    )
    .unwrap();
    let printed = config.shown_toml().unwrap();
    assert!(
        !printed.contains("0123456789abcdef") && !printed.contains("hunter2"),
        "{printed}"
    );
    assert!(!format!("{config:?}").contains("0123456789abcdef"));
    let back: Config = toml::from_str(&printed).unwrap();
    assert_eq!(back.limits, config.limits);
}

#[test]
fn what_is_not_understood_is_never_shown_where_it_may_be_a_password() {
    let url = "postgres://u:hunter2@db/crm";
    let list = format!("[{{ name = 'crm', url = '{url}' }}]");
    let complaints = [
        refusal(AUTH, &[("CARNET__SOURCE", &list)]),
        refusal(AUTH, &[("CARNET__STORE", url)]),
        refusal(&format!("store = \"{url}\"\n{AUTH}"), &[]),
        refusal("[auth]\nhs256_secret = \"hunter2\n", &[]),
    ];
    for complaint in complaints {
        let text = complaint.to_string();
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!complaint.remedy.is_empty(), "{text}");
    }
}

#[test]
fn a_list_is_no_table() {
    let source = "[[source]]\nname = \"main\"\nurl = \"sqlite:t.db\"\n";
    let category = "[[category]]\nid = \"users\"\ntitle = \"Users\"\nsource = \"main\"\n\
        query = \"select id from users where tenant_id = :tenant\"\n";
    for (text, key) in [
        (format!("server = [\"127.0.0.1:18098\"]\n{AUTH}"), "server"),
        (
            format!("{AUTH}[limits]\nper_user = [3, \"24h\"]\n"),
            "limits.per_user",
        ),
        (
            format!("{AUTH}{source}{category}[category.columns]\nid = [\"integer\"]\n"),
            "category.0.columns.id",
        ),
        (
            format!("source = [[\"main\", \"sqlite:t.db\"]]\n{AUTH}"),
            "source.0",
        ),
    ] {
        let complaint = refusal(&text, &[]);
        assert_eq!(complaint.key, key, "{complaint}");
        assert_eq!(complaint.problem, "is a list", "{complaint}");
    }
    let complaint = refusal(AUTH, &[("CARNET__SERVER", "[\"127.0.0.1:1\"]")]);
    assert_eq!(complaint.file, "environment variable CARNET__SERVER");
}

/// Nobody who writes a configuration knows the types of this program.
#[test]
fn remedies_say_what_to_write() {
    for (text, key, remedy) in [
        (
            "[limits]\nper_user = 3\n",
            "limits.per_user",
            "a table with named keys",
        ),
        (
            "[limits]\nrequest_roles = \"admin\"\n",
            "limits.request_roles",
            "a list",
        ),
        (
            "[limits]\nactive_per_user = -1\n",
            "limits.active_per_user",
            "a whole number from 0",
        ),
        ("[store]\nurl = 3\n", "store.url", "a text in quotes"),
        ("category = \"users\"\n", "category", "a list"),
    ] {
        let complaint = refusal(&format!("{text}{AUTH}"), &[]);
        assert_eq!(complaint.key, key, "{complaint}");
        assert!(complaint.remedy.contains(remedy), "{complaint}");
        assert!(!complaint.to_string().contains("struct"), "{complaint}");
    }
}
