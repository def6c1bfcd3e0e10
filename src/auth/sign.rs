//! Signing tokens with the shared secret, for development (`carnet token`) and tests.

use std::time::Duration;

use carnet_events::ids::Timestamp;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Map, Value, json};

use super::caller::{Caller, Fingerprint};
use super::verify::numeric_date;
use crate::config::Auth;

/// Whom a token should speak for.
#[derive(Debug, Clone)]
pub struct TokenRequest {
    /// The tenant; none for operators.
    pub tenant: Option<String>,
    /// The user.
    pub user: String,
    /// Their roles.
    pub roles: Vec<String>,
    /// Their permissions.
    pub permissions: Vec<String>,
    /// How long it holds.
    pub ttl: Duration,
}

/// Why no token was signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// Tokens come from the issuer then.
    #[error(
        "`auth.hs256_secret` isn't set: tokens come from the issuer, this command signs development tokens only"
    )]
    NoSecret,
    /// The service would refuse the token.
    #[error(
        "the service would refuse this token: the {0} is empty, reserved, of the wrong form, too long or too many; a tenant has 1 to 128 bytes, a user 1 to 256"
    )]
    Claim(&'static str),
    /// The service would refuse the token for its time.
    #[error(
        "the service would refuse this token: it has to hold for a second at least, and to end before the year 10000"
    )]
    Time,
    /// The library refused.
    #[error("signing failed: {0}")]
    Library(#[from] jsonwebtoken::errors::Error),
}

/// A token as `auth` expects it, signed with its shared secret.
///
/// # Errors
/// When no shared secret is configured, or the service would refuse the token.
pub fn sign(auth: &Auth, request: &TokenRequest, now: Timestamp) -> Result<String, SignError> {
    let secret = auth.hs256_secret.as_ref().ok_or(SignError::NoSecret)?;
    let seconds = now.as_millis().div_euclid(1000);
    let ttl = i64::try_from(request.ttl.as_secs()).unwrap_or(i64::MAX);
    let ends = seconds.saturating_add(ttl);
    if ttl < 1 || numeric_date(&json!(ends)).is_none() {
        return Err(SignError::Time);
    }
    let mut claims = Map::new();
    claims.insert("iss".to_owned(), json!(auth.issuer));
    claims.insert("aud".to_owned(), json!(auth.audience));
    claims.insert("iat".to_owned(), json!(seconds));
    claims.insert("nbf".to_owned(), json!(seconds));
    claims.insert("exp".to_owned(), json!(ends));
    if let Some(tenant) = &request.tenant {
        claims.insert(auth.claims.tenant.clone(), json!(tenant));
    }
    claims.insert(auth.claims.user.clone(), json!(request.user));
    claims.insert(auth.claims.roles.clone(), json!(request.roles));
    if !request.permissions.is_empty() {
        claims.insert(auth.claims.permissions.clone(), json!(request.permissions));
    }
    let (any, nothing) = (Timestamp::EPOCH, Fingerprint::of(""));
    Caller::from_claims(&claims, &auth.claims, any, nothing).map_err(SignError::Claim)?;
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    Ok(jsonwebtoken::encode(
        &Header::default(),
        &Value::Object(claims),
        &key,
    )?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn what_would_be_refused_is_not_signed() {
        let auth = Auth {
            hs256_secret: Some(Secret::new("0123456789abcdef0123456789abcdef".to_owned())),
            ..Auth::default()
        };
        let long = "t".repeat(200);
        for (tenant, user, claim) in [
            (Some(""), "ada", "tenant"),
            (Some(long.as_str()), "ada", "tenant"),
            (Some("acme"), "", "user"),
            (None, "a\u{7}da", "user"),
        ] {
            let request = TokenRequest {
                tenant: tenant.map(str::to_owned),
                user: user.into(),
                roles: vec!["client_admin".into()],
                permissions: vec![],
                ttl: Duration::from_secs(60),
            };
            let refused = sign(&auth, &request, Timestamp::EPOCH);
            assert!(
                matches!(refused, Err(SignError::Claim(name)) if name == claim),
                "{tenant:?} {user:?}"
            );
        }
    }
}
