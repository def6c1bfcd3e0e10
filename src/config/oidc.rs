//! `[auth.oidc]`: the identity provider that people sign in with.

use serde::{Deserialize, Serialize};

use super::error::Complaints;
use super::secret::Secret;

/// `[auth.oidc]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oidc {
    /// The provider's address, exactly as its tokens name it; its endpoints are found from there.
    pub issuer: String,
    /// What this service is called there.
    pub client_id: String,
    /// The secret it has there; left out for a client without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<Secret>,
    /// What is asked for besides `openid`.
    #[serde(default)]
    pub scopes: Vec<String>,
}

impl Oidc {
    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        super::auth::check_url("auth.oidc.issuer", &self.issuer, at);
        if self.client_id.is_empty() || self.client_id.len() > 256 {
            at.add(
                "auth.oidc.client_id",
                "is not the name of a client",
                "write the client id that the provider knows this service by",
            );
        }
        let is_scope = |scope: &String| {
            !scope.is_empty() && scope.len() <= 128 && scope.bytes().all(|b| b.is_ascii_graphic())
        };
        if self.scopes.len() > 32 || !self.scopes.iter().all(is_scope) {
            at.add(
                "auth.oidc.scopes",
                "is not a list of scopes",
                "write names without spaces, as in [\"profile\", \"offline_access\"]",
            );
        }
    }
}
