//! What the provider says of a person, once it is verified.

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
