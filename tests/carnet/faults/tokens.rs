//! Credentials that aren't believed: `401` over HTTP, whatever the route. What each looks like inside is tested in `auth`.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{SECRET, Server, Site};

fn seconds() -> u64 {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "carnet", "sub": "ada", "tenant_id": "acme",
        "roles": ["client_admin"], "nbf": seconds() - 10, "exp": seconds() + 600,
    })
}

fn with(key: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[key] = value;
    claims
}

fn without(key: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(key);
    claims
}

/// Signed by whoever knows `secret`, with HMAC whatever the header says.
fn signed(header: &Value, claims: &Value, algorithm: hmac::Algorithm, secret: &str) -> String {
    let part = |value: &Value| BASE64.encode(value.to_string());
    let text = format!("{}.{}", part(header), part(claims));
    let tag = hmac::sign(
        &hmac::Key::new(algorithm, secret.as_bytes()),
        text.as_bytes(),
    );
    format!("{text}.{}", BASE64.encode(tag))
}

fn hs256(claims: &Value) -> String {
    let header = json!({"alg": "HS256", "typ": "JWT"});
    signed(&header, claims, hmac::HMAC_SHA256, SECRET)
}

#[tokio::test]
async fn tokens_that_aren_t_in_order_are_refused_everywhere() {
    let site = Site::new(1);
    let server = Server::start(&site);
    let good = hs256(&claims());
    let answer = server.client(&good).get("/api/account-exports").await;
    assert_eq!(
        answer.status, 200,
        "the tokens below fail for what is wrong with them"
    );

    let unsigned = good.rsplit_once('.').unwrap().0;
    let none = |name: &str| {
        let token = signed(&json!({"alg": name}), &claims(), hmac::HMAC_SHA256, SECRET);
        token.rsplit_once('.').unwrap().0.to_owned() + "."
    };
    let bad = [
        ("alg none", none("none")),
        ("alg None", none("None")),
        (
            "another algorithm",
            signed(
                &json!({"alg": "HS512"}),
                &claims(),
                hmac::HMAC_SHA512,
                SECRET,
            ),
        ),
        (
            "an asymmetric algorithm",
            signed(
                &json!({"alg": "RS256"}),
                &claims(),
                hmac::HMAC_SHA256,
                SECRET,
            ),
        ),
        (
            "another secret",
            signed(&json!({"alg": "HS256"}), &claims(), hmac::HMAC_SHA256, "x"),
        ),
        ("no signature", format!("{unsigned}.")),
        ("two parts", unsigned.to_owned()),
        ("no audience", hs256(&without("aud"))),
        ("another audience", hs256(&with("aud", json!("other")))),
        (
            "other audiences",
            hs256(&with("aud", json!(["other", "carnets"]))),
        ),
        ("no issuer", hs256(&without("iss"))),
        (
            "another issuer",
            hs256(&with("iss", json!("https://issuer.example/"))),
        ),
        (
            "not yet valid",
            hs256(&with("nbf", json!(seconds() + 3_600))),
        ),
        ("expired", hs256(&with("exp", json!(seconds() - 3_600)))),
        ("no expiry", hs256(&without("exp"))),
        (
            "expiry as text",
            hs256(&with("exp", json!((seconds() + 600).to_string()))),
        ),
        ("expiry null", hs256(&with("exp", Value::Null))),
        ("start as text", hs256(&with("nbf", json!("0")))),
        ("no user", hs256(&without("sub"))),
        ("nonsense", "nonsense".to_owned()),
        ("dots", "..".to_owned()),
        ("very long", format!("{good}{}", "A".repeat(10_000))),
    ];
    for (what, token) in bad {
        for (method, path) in [
            (Method::GET, "/api/account-exports"),
            (Method::POST, "/api/account-exports"),
            (Method::GET, "/api/nowhere"),
            (Method::GET, "/metrics"),
        ] {
            let body = (method == Method::POST).then(|| "{".to_owned());
            let answer = server
                .client(&token)
                .send(method.clone(), path, &[], body)
                .await;
            assert_eq!(answer.status, 401, "{what}: {method} {path}");
            assert_eq!(answer.code(), "unauthenticated", "{what}");
            assert!(!answer.header("www-authenticate").is_empty(), "{what}");
        }
    }
    // Other schemes, and none.
    for value in ["", "Basic YWRhOmFkYQ==", "Bearer", "bearer ", "Bearer a b"] {
        let headers = [("authorization", value)];
        let answer = server
            .client("")
            .send(Method::GET, "/api/account-exports", &headers, None)
            .await;
        assert_eq!(answer.status, 401, "{value:?}");
    }
    let log = server.log();
    assert!(!log.contains(unsigned), "{log}");
}
