//! `[auth]`: whose tokens are believed, and which claims carry tenant, user, roles and permissions.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::Complaints;
use super::oidc::Oidc;
use super::secret::Secret;
use super::session::Session;

/// `[auth]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Auth {
    /// The `iss` every token must carry.
    pub issuer: String,
    /// The `aud` every token must name.
    pub audience: String,
    /// Address of the issuer's key set (JWKS, RFC 7517).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<String>,
    /// A key set on disk; read again when it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// A shared secret for HS256 tokens; for development, `carnet token` signs with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hs256_secret: Option<Secret>,
    /// Clock difference forgiven when `exp` and `nbf` are checked.
    pub leeway: Span,
    /// How long a fetched key set is used before it is fetched again.
    pub jwks_max_age: Span,
    /// Verified tokens remembered, so that a busy client's signature isn't checked on every request.
    pub cached_tokens: u32,
    /// Names of the claims.
    pub claims: Claims,
    /// Sessions of people who sign in with a browser.
    pub session: Session,
    /// The identity provider that people sign in with; left out: nobody signs in with a browser.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub oidc: Option<Oidc>,
}

/// `[auth.claims]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Claims {
    /// Claim that names the tenant; operators' tokens lack it.
    pub tenant: String,
    /// Claim that names the user.
    pub user: String,
    /// Claim with the roles: an array of strings, or one string separated by spaces.
    pub roles: String,
    /// Claim with the permissions, in the same forms.
    pub permissions: String,
}

impl Default for Auth {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audience: "carnet".to_owned(),
            jwks_url: None,
            jwks_file: None,
            hs256_secret: None,
            leeway: Span::seconds(0),
            jwks_max_age: Span::minutes(10),
            cached_tokens: 10_000,
            claims: Claims::default(),
            session: Session::default(),
            oidc: None,
        }
    }
}

impl Default for Claims {
    fn default() -> Self {
        Self {
            tenant: "tenant_id".to_owned(),
            user: "sub".to_owned(),
            roles: "roles".to_owned(),
            permissions: "permissions".to_owned(),
        }
    }
}

/// HS256 keys shorter than its hash weaken it (RFC 7518, section 3.2).
const MIN_SECRET_BYTES: usize = 32;

impl Auth {
    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        if self.issuer.is_empty() {
            at.add("auth.issuer", "is missing", "name the issuer (`iss`) whose tokens are accepted, as in issuer = \"https://login.example.org\"");
        }
        if self.audience.is_empty() {
            at.add(
                "auth.audience",
                "is empty",
                "name the audience (`aud`) tokens must carry, as in audience = \"carnet\"",
            );
        }
        let given = usize::from(self.jwks_url.is_some())
            + usize::from(self.jwks_file.is_some())
            + usize::from(self.hs256_secret.is_some());
        if given != 1 {
            at.add(
                "auth",
                format!("{given} sources of token keys are set"),
                "set exactly one of jwks_url, jwks_file and hs256_secret",
            );
        }
        if let Some(url) = &self.jwks_url {
            check_url("auth.jwks_url", url, at);
        }
        if self
            .hs256_secret
            .as_ref()
            .is_some_and(|secret| secret.expose().len() < MIN_SECRET_BYTES)
        {
            at.add(
                "auth.hs256_secret",
                "is shorter than 32 bytes",
                "make one with `openssl rand -hex 32`",
            );
        }
        at.within(
            "auth.leeway",
            self.leeway,
            Span::seconds(0),
            Span::seconds(30),
        );
        at.within(
            "auth.jwks_max_age",
            self.jwks_max_age,
            Span::seconds(30),
            Span::days(1),
        );
        self.session.check(at);
        if let Some(oidc) = &self.oidc {
            oidc.check(at);
        }
        at.within("auth.cached_tokens", self.cached_tokens, 0, 1_000_000);
        for (key, claim) in [
            ("auth.claims.tenant", &self.claims.tenant),
            ("auth.claims.user", &self.claims.user),
            ("auth.claims.roles", &self.claims.roles),
            ("auth.claims.permissions", &self.claims.permissions),
        ] {
            if claim.is_empty() || claim.len() > 256 {
                at.add(
                    key,
                    "is not the name of a claim",
                    "write a name of 1 to 256 bytes, or leave the key out",
                );
            }
        }
    }
}

/// What is fetched in the clear could be anyone's, so plain http is for this machine only.
pub(super) fn check_url(key: &str, url: &str, at: &mut Complaints<'_>) {
    let parsed = url.parse::<actix_web::http::Uri>().ok();
    let host = parsed
        .as_ref()
        .and_then(|uri| uri.host())
        .unwrap_or_default();
    match parsed.as_ref().and_then(|uri| uri.scheme_str()) {
        Some("https") if !host.is_empty() => {}
        Some("http") if matches!(host, "localhost" | "127.0.0.1" | "[::1]") => {}
        Some("http") => at.add(key, "fetches keys without encryption", "use https"),
        _ => at.add(
            key,
            format!("{url:?} is not a web address"),
            "write it in full, as in \"https://login.example.org\"",
        ),
    }
}
