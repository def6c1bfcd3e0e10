#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests"
)]

mod fetched;

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use carnet_events::ids::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::source::{FileSource, KeySource};
use super::*;
use crate::config::{Auth, Secret, Span};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn auth() -> Auth {
    Auth {
        issuer: "https://login.example".to_owned(),
        hs256_secret: Some(Secret::new(SECRET.to_owned())),
        ..Auth::default()
    }
}

fn claims() -> Value {
    json!({
        "iss": "https://login.example", "aud": "carnet", "exp": 1_800_000_600, "nbf": 1_799_999_999,
        "sub": "ada", "tenant_id": "acme", "roles": ["client_admin"], "permissions": "exports:users exports:tickets",
    })
}

fn with(change: impl FnOnce(&mut serde_json::Map<String, Value>)) -> Value {
    let mut value = claims();
    change(value.as_object_mut().unwrap());
    value
}

fn hs256(claims: &Value) -> String {
    jsonwebtoken::encode(
        &Header::default(),
        claims,
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap()
}

async fn verdict(token: &str) -> Result<Arc<Caller>, AuthError> {
    Verifier::new(&auth()).unwrap().verify(token, NOW).await
}

#[tokio::test]
async fn a_good_token_names_its_caller() {
    let caller = verdict(&hs256(&claims())).await.unwrap();
    assert_eq!(caller.tenant.as_ref().unwrap().as_str(), "acme");
    assert_eq!(caller.subject, "ada");
    assert!(caller.has_role("client_admin") && !caller.has_role("operator"));
    assert!(caller.has_permission("exports:users") && !caller.has_permission("exports"));
    assert_eq!(caller.expires_at, Timestamp::from_millis(1_800_000_600_000));
}

#[tokio::test]
async fn a_signed_development_token_is_accepted() {
    let request = TokenRequest {
        tenant: None,
        user: "root".into(),
        roles: vec!["operator".into()],
        permissions: vec![],
        ttl: Duration::from_secs(60),
    };
    let token = sign(&auth(), &request, NOW).unwrap();
    let caller = verdict(&token).await.unwrap();
    assert!(caller.tenant.is_none() && caller.has_role("operator"));
}

#[test]
fn a_token_that_would_be_refused_for_its_time_is_not_signed() {
    for ttl in [
        Duration::ZERO,
        Duration::from_millis(999),
        Duration::from_secs(u64::MAX),
    ] {
        let request = TokenRequest {
            tenant: None,
            user: "root".into(),
            roles: vec!["operator".into()],
            permissions: vec![],
            ttl,
        };
        let refused = sign(&auth(), &request, NOW).unwrap_err();
        assert!(matches!(refused, SignError::Time), "{ttl:?}: {refused}");
    }
}

#[tokio::test]
async fn claims_that_are_missing_wrong_or_odd_are_refused() {
    for (name, bad) in [
        ("no issuer", with(|c| drop(c.remove("iss")))),
        (
            "other issuer",
            with(|c| drop(c.insert("iss".into(), json!("https://evil.example")))),
        ),
        (
            "issuers",
            with(|c| {
                drop(c.insert(
                    "iss".into(),
                    json!(["https://login.example", "https://evil.example"]),
                ))
            }),
        ),
        ("no audience", with(|c| drop(c.remove("aud")))),
        (
            "null audience",
            with(|c| drop(c.insert("aud".into(), Value::Null))),
        ),
        (
            "other audience",
            with(|c| drop(c.insert("aud".into(), json!("shop")))),
        ),
        (
            "other audiences",
            with(|c| drop(c.insert("aud".into(), json!(["shop", "wiki"])))),
        ),
        ("no expiry", with(|c| drop(c.remove("exp")))),
        (
            "text expiry",
            with(|c| drop(c.insert("exp".into(), json!("1800000600")))),
        ),
        (
            "negative expiry",
            with(|c| drop(c.insert("exp".into(), json!(-1)))),
        ),
        (
            "endless expiry",
            with(|c| drop(c.insert("exp".into(), json!(1e300)))),
        ),
        (
            "expired",
            with(|c| drop(c.insert("exp".into(), json!(1_799_999_989)))),
        ),
        (
            "future",
            with(|c| drop(c.insert("nbf".into(), json!(1_800_000_011)))),
        ),
        (
            "text nbf",
            with(|c| drop(c.insert("nbf".into(), json!("0")))),
        ),
        ("no user", with(|c| drop(c.remove("sub")))),
        (
            "numeric tenant",
            with(|c| drop(c.insert("tenant_id".into(), json!(7)))),
        ),
        (
            "empty tenant",
            with(|c| drop(c.insert("tenant_id".into(), json!("")))),
        ),
        (
            "roles as object",
            with(|c| drop(c.insert("roles".into(), json!({"client_admin": true})))),
        ),
        ("not an object", json!(["exp"])),
    ] {
        assert!(verdict(&hs256(&bad)).await.is_err(), "{name}");
    }
    let many = with(|c| drop(c.insert("aud".into(), json!(["shop", "carnet"]))));
    assert!(
        verdict(&hs256(&many)).await.is_ok(),
        "an audience among several"
    );
    let late = with(|c| drop(c.insert("exp".into(), json!(1_799_999_995))));
    assert!(verdict(&hs256(&late)).await.is_err(), "five seconds late");
    let early = with(|c| drop(c.insert("nbf".into(), json!(1_800_000_005))));
    assert!(verdict(&hs256(&early)).await.is_err(), "five seconds early");
    let forgiving = Auth {
        leeway: Span::seconds(10),
        ..auth()
    };
    let forgiving = Verifier::new(&forgiving).unwrap();
    for token in [late, early] {
        let verdict = forgiving.verify(&hs256(&token), NOW).await;
        assert!(verdict.is_ok(), "within the leeway");
    }
}

#[tokio::test]
async fn tampered_unsigned_and_malformed_tokens_are_refused() {
    let good = hs256(&claims());
    let parts: Vec<&str> = good.split('.').collect();
    let encode = |value: &Value| BASE64.encode(value.to_string());
    let payload = encode(&with(|c| {
        drop(c.insert("tenant_id".into(), json!("other")))
    }));
    let mut cases = vec![
        String::new(),
        ".".to_owned(),
        "..".to_owned(),
        "a.b.c".to_owned(),
        "x".repeat(20_000),
        format!("{}.{}.{}", parts[0], payload, parts[2]),
        format!("{}.{}.", parts[0], parts[1]),
        format!("{good}.x"),
        good.to_uppercase(),
    ];
    for algorithm in [
        "none", "None", "NONE", "nOnE", "", "HS1", "RS256", "HS384", "HS512", "ES256",
    ] {
        let header = encode(&json!({"alg": algorithm, "typ": "JWT"}));
        cases.push(format!("{header}.{}.", parts[1]));
        cases.push(format!("{header}.{}.{}", parts[1], parts[2]));
    }
    let other = jsonwebtoken::encode(
        &Header::default(),
        &claims(),
        &EncodingKey::from_secret(b"another secret of 32 bytes......"),
    )
    .unwrap();
    let wider = jsonwebtoken::encode(
        &Header::new(Algorithm::HS512),
        &claims(),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap();
    let critical = Header {
        crit: Some(vec!["exp".into()]),
        ..Header::default()
    };
    let critical = jsonwebtoken::encode(
        &critical,
        &claims(),
        &EncodingKey::from_secret(SECRET.as_bytes()),
    )
    .unwrap();
    cases.extend([other, wider, critical]);
    for token in cases {
        assert!(verdict(&token).await.is_err(), "{token}");
    }
}

/// An issuer with one key.
struct Issuer {
    key: EncodingKey,
    algorithm: Algorithm,
    jwk: Value,
}

impl Issuer {
    fn new(id: &str, algorithm: Algorithm) -> Self {
        let key = match algorithm {
            Algorithm::RS256 => {
                let pair = aws_lc_rs::rsa::KeyPair::generate(KeySize::Rsa2048).unwrap();
                let der =
                    aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(
                        &pair,
                    )
                    .unwrap();
                EncodingKey::from_rsa_pem(&pem("PRIVATE KEY", der.as_ref())).unwrap()
            }
            _ => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
                EncodingKey::from_ec_der(pair.to_pkcs8v1().unwrap().as_ref())
            }
        };
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&key, algorithm).unwrap()).unwrap();
        jwk["kid"] = json!(id);
        Self {
            key,
            algorithm,
            jwk,
        }
    }

    fn token(&self, id: Option<&str>) -> String {
        let header = Header {
            kid: id.map(str::to_owned),
            ..Header::new(self.algorithm)
        };
        jsonwebtoken::encode(&header, &claims(), &self.key).unwrap()
    }
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    let body = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<&str> = body
        .as_bytes()
        .chunks(64)
        .map(|c| std::str::from_utf8(c).unwrap())
        .collect();
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        lines.join("\n")
    )
    .into_bytes()
}

fn set(issuers: &[&Issuer]) -> String {
    json!({"keys": issuers.iter().map(|i| &i.jwk).collect::<Vec<_>>()}).to_string()
}

fn file_verifier(path: &std::path::Path) -> Verifier {
    Verifier::with_source(
        &auth(),
        KeySource::File(FileSource::open(path.to_owned()).unwrap()),
    )
}

#[tokio::test]
async fn keys_of_every_kind_verify_their_own_tokens_only() {
    let (rsa, ec) = (
        Issuer::new("r", Algorithm::RS256),
        Issuer::new("e", Algorithm::ES256),
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, set(&[&rsa, &ec])).unwrap();
    let verifier = file_verifier(&path);
    for token in [
        rsa.token(Some("r")),
        ec.token(Some("e")),
        rsa.token(None),
        ec.token(None),
    ] {
        assert!(verifier.verify(&token, NOW).await.is_ok());
    }
    assert_eq!(
        verifier
            .verify(&ec.token(Some("r")), NOW)
            .await
            .unwrap_err(),
        AuthError::UnknownKey
    );
    assert_eq!(
        verifier
            .verify(&rsa.token(Some("x")), NOW)
            .await
            .unwrap_err(),
        AuthError::UnknownKey
    );
    assert!(
        verifier.verify(&hs256(&claims()), NOW).await.is_err(),
        "no shared secret is configured"
    );

    // Algorithm confusion: the public key, which anyone can read, used as an HMAC secret.
    let modulus = rsa.jwk["n"].as_str().unwrap();
    for secret in [
        rsa.jwk.to_string().into_bytes(),
        modulus.as_bytes().to_vec(),
        BASE64.decode(modulus).unwrap(),
        set(&[&rsa, &ec]).into_bytes(),
    ] {
        let header = Header {
            kid: Some("r".into()),
            ..Header::new(Algorithm::HS256)
        };
        let forged =
            jsonwebtoken::encode(&header, &claims(), &EncodingKey::from_secret(&secret)).unwrap();
        assert_eq!(
            verifier.verify(&forged, NOW).await.unwrap_err(),
            AuthError::UnknownKey
        );
    }
}

#[tokio::test]
async fn symmetric_encryption_and_weak_keys_of_a_set_are_never_used() {
    let ec = Issuer::new("e", Algorithm::ES256);
    let symmetric = json!({"kty": "oct", "kid": "s", "alg": "HS256", "k": BASE64.encode(SECRET)});
    let mut encryption = ec.jwk.clone();
    encryption["use"] = json!("enc");
    let weak = json!({"kty": "RSA", "kid": "w", "n": BASE64.encode([0xff; 128]), "e": "AQAB"});
    for key in [symmetric, encryption, weak, json!({"kty": "new"}), json!(1)] {
        assert!(jwks::KeySet::parse(json!({"keys": [key]}).to_string().as_bytes(), 1).is_err());
    }
    for text in ["", "[]", "{}", r#"{"keys":[]}"#, r#"{"keys":1}"#] {
        assert!(jwks::KeySet::parse(text.as_bytes(), 1).is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_changed_key_file_ends_cached_tokens_and_a_broken_one_ends_none() {
    let (old, new) = (
        Issuer::new("a", Algorithm::ES256),
        Issuer::new("b", Algorithm::ES256),
    );
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("jwks.json");
    std::fs::write(&path, set(&[&old])).unwrap();
    let verifier = file_verifier(&path);
    assert!(verifier.verify(&old.token(Some("a")), NOW).await.is_ok());
    std::fs::write(&path, "not json at all").unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(
        verifier.verify(&old.token(Some("a")), NOW).await.is_ok(),
        "the earlier keys stay in use"
    );
    assert!(verifier.problem().is_some());
    std::fs::write(&path, set(&[&new])).unwrap();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert!(verifier.verify(&new.token(Some("b")), NOW).await.is_ok());
    assert!(verifier.verify(&old.token(Some("a")), NOW).await.is_err());
    assert!(verifier.problem().is_none());
}

#[tokio::test]
async fn a_remembered_token_still_expires() {
    let verifier = Verifier::new(&Auth {
        leeway: Span::seconds(0),
        ..auth()
    })
    .unwrap();
    let token = hs256(&claims());
    assert!(verifier.verify(&token, NOW).await.is_ok());
    assert_eq!(
        verifier
            .verify(&token, Timestamp::from_millis(1_800_000_600_000))
            .await
            .unwrap_err(),
        AuthError::Expired
    );
}
