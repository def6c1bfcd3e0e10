//! The caller a verified token speaks for.

use std::fmt;

use carnet_events::copy;
use carnet_events::ids::{Digest, TenantId, Timestamp};
use serde_json::{Map, Value};

use super::session::SessionKey;
use crate::config::Claims;

/// More than any person has; a token beyond is refused rather than carried around.
const MAX_ROLES: usize = 64;
const MAX_PERMISSIONS: usize = 1_024;
const MAX_NAME_BYTES: usize = 128;
const MAX_SUBJECT_BYTES: usize = 256;

/// SHA-256 of a token: names it in links and caches without holding it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// The fingerprint of `token`.
    pub fn of(token: &str) -> Self {
        Self(*Digest::of(token.as_bytes()).as_bytes())
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Fingerprint {
    /// The first bytes only: enough to tell two apart in a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0[..4]))
    }
}

/// Who is calling, as their verified token or their session says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The tenant they belong to; operators have none.
    pub tenant: Option<TenantId>,
    /// The issuer's name for them.
    pub subject: String,
    /// Their roles, sorted.
    pub roles: Vec<String>,
    /// Their permissions, sorted.
    pub permissions: Vec<String>,
    /// When their token or session ends.
    pub expires_at: Timestamp,
    /// Until when their roles and permissions may be believed; what lasts longer has to ask anew.
    pub believed_until: Timestamp,
    /// Which token or session it was.
    pub fingerprint: Fingerprint,
    /// The session, for those who signed in with a browser.
    pub session: Option<SessionKey>,
    /// What the forms of that session carry.
    pub(super) form_token: Option<String>,
}

impl Caller {
    /// The token that their forms carry, when they are signed in with a cookie.
    pub fn csrf(&self) -> Option<&str> {
        self.form_token.as_deref()
    }

    /// Whether they have `role`.
    pub fn has_role(&self, role: &str) -> bool {
        self.roles
            .binary_search_by(|r| r.as_str().cmp(role))
            .is_ok()
    }

    /// Whether they have at least one of `roles`.
    pub fn has_any_role(&self, roles: &[String]) -> bool {
        roles.iter().any(|role| self.has_role(role))
    }

    /// Whether they have `permission`.
    pub fn has_permission(&self, permission: &str) -> bool {
        self.permissions
            .binary_search_by(|p| p.as_str().cmp(permission))
            .is_ok()
    }

    /// Reads the caller from verified claims.
    ///
    /// # Errors
    /// The claim that is missing, of the wrong form or too large.
    pub(super) fn from_claims(
        claims: &Map<String, Value>,
        names: &Claims,
        expires_at: Timestamp,
        fingerprint: Fingerprint,
    ) -> Result<Self, &'static str> {
        let tenant = match claims.get(&names.tenant) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => match TenantId::new(text) {
                Ok(tenant) if !copy::is_reserved(&tenant) => Some(tenant),
                _ => return Err("tenant"),
            },
            Some(_) => return Err("tenant"),
        };
        let subject = claims
            .get(&names.user)
            .and_then(Value::as_str)
            .unwrap_or_default();
        if subject.is_empty()
            || subject.len() > MAX_SUBJECT_BYTES
            || subject.chars().any(char::is_control)
        {
            return Err("user");
        }
        Ok(Self {
            tenant,
            subject: subject.to_owned(),
            roles: names_in(claims.get(&names.roles), MAX_ROLES).ok_or("roles")?,
            permissions: names_in(claims.get(&names.permissions), MAX_PERMISSIONS)
                .ok_or("permissions")?,
            expires_at,
            believed_until: expires_at,
            fingerprint,
            session: None,
            form_token: None,
        })
    }
}

/// Names as an array of strings, or one string separated by spaces (as in OAuth's `scope`); absent means none.
fn names_in(claim: Option<&Value>, most: usize) -> Option<Vec<String>> {
    let mut names: Vec<String> = match claim {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) => text
            .split_ascii_whitespace()
            .take(most + 1)
            .map(str::to_owned)
            .collect(),
        Some(Value::Array(items)) if items.len() <= most => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect::<Option<_>>()?,
        Some(_) => return None,
    };
    if names.len() > most
        || names
            .iter()
            .any(|name| name.is_empty() || name.len() > MAX_NAME_BYTES)
    {
        return None;
    }
    names.sort_unstable();
    names.dedup();
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn names_come_as_array_or_text() {
        let read = |value: Value| names_in(Some(&value), 3);
        assert_eq!(
            read(json!(["b", "a", "b"])),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(
            read(json!("b  a")),
            Some(vec!["a".to_owned(), "b".to_owned()])
        );
        assert_eq!(names_in(None, 3), Some(vec![]));
        assert_eq!(read(json!(null)), Some(vec![]));
        for refused in [
            json!(1),
            json!({"a": 1}),
            json!(["a", 1]),
            json!([""]),
            json!("a b c d"),
            json!(["a", "b", "c", "d"]),
            json!(["x".repeat(129)]),
        ] {
            assert_eq!(read(refused.clone()), None, "{refused}");
        }
    }
}
