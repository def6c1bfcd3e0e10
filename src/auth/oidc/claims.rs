//! What the provider says of a person, once it is verified.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use carnet_events::ids::Timestamp;
use chrono::{DateTime, Utc};
use openidconnect::core::{CoreGenderClaim, CoreIdToken, CoreJwsSigningAlgorithm as Algorithm};
use openidconnect::{
    AccessToken, AdditionalClaims, AsyncHttpClient, Nonce, SubjectIdentifier, UserInfoClaims,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::known::Client;
use super::{OidcError, unavailable, unbelievable};
use crate::auth::caller::{Caller, Fingerprint};
use crate::auth::session::Identity;
use crate::config::Claims;

/// Claims by name.
pub(super) type Map = serde_json::Map<String, Value>;

/// Signatures that only the provider can make; one made with the client's secret could be anybody's who has that.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Claims that the standard doesn't name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Others {
    #[serde(flatten)]
    all: Map,
}

impl AdditionalClaims for Others {}

/// The claims of an ID token: signature, issuer, audience, expiry and, at sign-in, the nonce are checked by the library.
pub(super) fn verified(
    client: &Client,
    token: &CoreIdToken,
    nonce: Option<&Nonce>,
    at: Timestamp,
) -> Result<Map, OidcError> {
    let time = date_time(at);
    let verifier = client
        .id_token_verifier()
        .set_allowed_algs(ALGORITHMS)
        .set_time_fn(move || time);
    match nonce {
        Some(nonce) => token.claims(&verifier, nonce),
        // A token that comes of asking again needs none (OpenID Connect Core, section 12.2).
        None => token.claims(&verifier, |_: Option<&Nonce>| Ok(())),
    }
    .map_err(unbelievable)?;
    // The library names the standard's claims alone; verified are all of them.
    let text = token.to_string();
    let payload = text.split('.').nth(1).unwrap_or_default();
    let payload = BASE64.decode(payload).map_err(unbelievable)?;
    serde_json::from_slice(&payload).map_err(unbelievable)
}

/// How far ahead the provider's clock may be when it says that it made a token just now, and that it is good from now on.
const AHEAD: Duration = Duration::from_secs(60);

/// Whether a verified token holds already: the library looks at its end alone.
pub(super) fn has_begun(claims: &Map, now: Timestamp, leeway: Duration) -> Result<(), OidcError> {
    let ahead = leeway.max(AHEAD);
    for name in ["nbf", "iat"] {
        let Some(time) = claims.get(name) else {
            continue;
        };
        let seconds = time.as_f64();
        let seconds = seconds.ok_or_else(|| unbelievable(format!("`{name}` is no time")))?;
        let latest = now.plus(ahead).as_millis() as f64 / 1000.0;
        if seconds > latest {
            let problem = "lies ahead: the token isn't valid yet; compare the clocks here and at the provider";
            return Err(unbelievable(format!("`{name}` {problem}")));
        }
    }
    Ok(())
}

/// Adds what the UserInfo endpoint tells beyond the ID token, of the same person.
pub(super) async fn with_user_info<'c, C>(
    client: &'c Client,
    token: AccessToken,
    mut claims: Map,
    http: &'c C,
) -> Result<Map, OidcError>
where
    C: AsyncHttpClient<'c>,
{
    let subject = claims.get("sub").and_then(Value::as_str);
    let subject = subject.map(|subject| SubjectIdentifier::new(subject.to_owned()));
    let told: UserInfoClaims<Others, CoreGenderClaim> = client
        .user_info(token, subject)
        .map_err(unavailable)?
        .request_async(http)
        .await
        .map_err(unavailable)?;
    if let Ok(Value::Object(told)) = serde_json::to_value(&told) {
        for (name, value) in told {
            claims.entry(name).or_insert(value);
        }
    }
    Ok(claims)
}

/// Who it is, by the names that the configuration gives the claims.
pub(super) fn identity(claims: &Map, names: &Claims) -> Result<Identity, OidcError> {
    let nothing = Fingerprint::of("");
    let read = Caller::from_claims(claims, names, Timestamp::EPOCH, nothing);
    let caller = read.map_err(|claim| {
        let problem = "is missing, of the wrong form or too large";
        unbelievable(format!("the claim for {claim} {problem}"))
    })?;
    Ok(Identity {
        subject: caller.subject,
        tenant: caller.tenant,
        roles: caller.roles,
        permissions: caller.permissions,
    })
}

fn date_time(at: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(at.as_millis()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_token_whose_time_has_not_come_is_not_believed() {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let verdict = |claims: Value, leeway| {
            let claims = claims.as_object().unwrap();
            has_begun(claims, now, Duration::from_secs(leeway)).is_ok()
        };
        let at = |ahead: i64| 1_800_000_000 + ahead;
        for (claims, leeway, good) in [
            (json!({}), 0, true),
            (json!({"nbf": at(0), "iat": at(0)}), 0, true),
            (json!({"nbf": at(-100), "iat": at(-100)}), 0, true),
            (json!({"nbf": at(60)}), 0, true),
            (json!({"nbf": at(61)}), 0, false),
            (json!({"nbf": at(100)}), 99, false),
            (json!({"nbf": at(100)}), 100, true),
            (json!({"iat": at(60)}), 0, true),
            (json!({"iat": at(61)}), 0, false),
            (json!({"iat": at(1000)}), 0, false),
            (json!({"iat": at(90)}), 90, true),
            (json!({"nbf": 1_800_000_060.5}), 0, false),
            (json!({"nbf": "soon"}), 0, false),
        ] {
            assert_eq!(verdict(claims.clone(), leeway), good, "{claims}, {leeway}");
        }
    }
}
