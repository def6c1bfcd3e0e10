//! Verifying a bearer token.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::ids::Timestamp;
use carnet_events::recent::Recent;
use jsonwebtoken::Validation;
use serde_json::{Map, Value};

use super::caller::{Caller, Fingerprint};
use super::jwks::KeySet;
use super::source::{FileSource, KeySource, UrlSource};
use crate::config::{Auth, Claims};

/// Longer tokens wouldn't fit in a request's head anyway.
const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// Why a token isn't believed. The client is told that it isn't, the log why; never the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Not a signed JWT of a form we accept.
    #[error("the token is malformed")]
    Malformed,
    /// No key of ours fits its key id and algorithm.
    #[error("no known key fits the token's key id and algorithm")]
    UnknownKey,
    /// The signature doesn't verify, or issuer, audience or expiry are missing or wrong.
    #[error("signature, issuer or audience is wrong")]
    Refused,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// Its time hasn't come.
    #[error("the token isn't valid yet")]
    TooEarly,
    /// It verifies, but a claim we map is missing, of the wrong form or too large.
    #[error("the claim for {0} is missing, of the wrong form or too large")]
    Claim(&'static str),
    /// There are no keys to verify with yet.
    #[error("the issuer's keys can't be had")]
    NoKeys,
}

/// Verifies bearer tokens; cheap for one it has seen before.
pub struct Verifier {
    issuer: String,
    audience: String,
    leeway: Duration,
    claims: Claims,
    source: KeySource,
    /// Verified tokens by fingerprint, with the generation of the keys that verified them.
    cache: Recent<Fingerprint, (u64, Arc<Caller>)>,
}

impl Verifier {
    /// A verifier as configured.
    ///
    /// # Errors
    /// When a key set file can't be read; a key set at a url is fetched when first needed.
    pub fn new(auth: &Auth) -> Result<Self, String> {
        let source = if let Some(path) = &auth.jwks_file {
            KeySource::File(FileSource::open(path.clone())?)
        } else if let Some(url) = &auth.jwks_url {
            KeySource::Url(Arc::new(UrlSource::new(
                url.clone(),
                auth.jwks_max_age.get(),
            )?))
        } else if let Some(secret) = &auth.hs256_secret {
            KeySource::Secret(Arc::new(KeySet::shared_secret(secret.expose().as_bytes())))
        } else {
            return Err("no source of token keys is configured".to_owned());
        };
        Ok(Self::with_source(auth, source))
    }

    pub(super) fn with_source(auth: &Auth, source: KeySource) -> Self {
        Self {
            issuer: auth.issuer.clone(),
            audience: auth.audience.clone(),
            leeway: auth.leeway.get(),
            claims: auth.claims.clone(),
            source,
            cache: Recent::new(auth.cached_tokens as usize),
        }
    }

    /// Fetches the issuer's keys ahead of the first request. A failure isn't one of the service: it is logged, shown by
    /// [`problem`](Self::problem), and tried again when a token comes.
    pub async fn warm_up(&self) {
        self.source.look_again().await;
    }

    /// What is wrong with the source of keys, if anything.
    pub fn problem(&self) -> Option<String> {
        self.source.problem()
    }

    /// The caller `token` speaks for at `now`.
    ///
    /// # Errors
    /// Why it isn't believed.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Arc<Caller>, AuthError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(AuthError::Malformed);
        }
        let fingerprint = Fingerprint::of(token);
        let keys = self.source.current();
        if let Some((generation, caller)) = self.cache.get(&fingerprint)
            && generation == keys.generation
        {
            self.check_expiry(caller.expires_at, now)?;
            return Ok(caller);
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| AuthError::Malformed)?;
        if header.crit.is_some() || header.enc.is_some() {
            // RFC 7515, section 4.1.11: what must be understood and isn't, must be refused.
            return Err(AuthError::Malformed);
        }
        let id = header.kid.as_deref();
        let keys = if keys.find(id, header.alg).is_some() {
            keys
        } else {
            self.source.look_again().await
        };
        let key = keys.find(id, header.alg).ok_or(if keys.is_empty() {
            AuthError::NoKeys
        } else {
            AuthError::UnknownKey
        })?;
        let claims = jsonwebtoken::decode::<Map<String, Value>>(
            token,
            &key.key,
            &self.validation(header.alg),
        )
        .map_err(|_| AuthError::Refused)?
        .claims;
        let caller = Arc::new(self.read(&claims, now, fingerprint)?);
        self.cache
            .insert(fingerprint, (keys.generation, Arc::clone(&caller)));
        Ok(caller)
    }

    /// What the library checks: signature, algorithm, issuer and audience. Times are checked here, by our own clock.
    fn validation(&self, algorithm: jsonwebtoken::Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.required_spec_claims = ["exp", "iss", "aud"].map(str::to_owned).into();
        validation.iss = Some(HashSet::from([self.issuer.clone()]));
        validation.aud = Some(HashSet::from([self.audience.clone()]));
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation
    }

    fn read(
        &self,
        claims: &Map<String, Value>,
        now: Timestamp,
        fingerprint: Fingerprint,
    ) -> Result<Caller, AuthError> {
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(AuthError::Refused);
        }
        let expires_at = claims
            .get("exp")
            .and_then(numeric_date)
            .ok_or(AuthError::Refused)?;
        self.check_expiry(expires_at, now)?;
        if let Some(not_before) = claims.get("nbf") {
            let not_before = numeric_date(not_before).ok_or(AuthError::Refused)?;
            if not_before > now.plus(self.leeway) {
                return Err(AuthError::TooEarly);
            }
        }
        Caller::from_claims(claims, &self.claims, expires_at, fingerprint).map_err(AuthError::Claim)
    }

    fn check_expiry(&self, expires_at: Timestamp, now: Timestamp) -> Result<(), AuthError> {
        if now >= expires_at.plus(self.leeway) {
            Err(AuthError::Expired)
        } else {
            Ok(())
        }
    }
}

/// NumericDate of RFC 7519: a JSON number of seconds, perhaps with a fraction. Text is not one.
pub(super) fn numeric_date(value: &Value) -> Option<Timestamp> {
    let seconds = value
        .as_f64()
        .filter(|s| s.is_finite() && (0.0..=253_402_300_799.0).contains(s))?;
    #[allow(
        clippy::cast_possible_truncation,
        reason = "bounded to year 9999 just above"
    )]
    Some(Timestamp::from_millis((seconds * 1000.0) as i64))
}
