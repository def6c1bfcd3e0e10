//! Sessions: people who signed in with a browser.
//!
//! A session is a sealed cookie and nothing else: it needs no store and works on every node that shares the key ring. What a
//! store is needed for is its end before its time, which stands in the log (`ended`).

mod ended;
mod form_token;
mod renewal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::codec::DecodeError;
use carnet_events::domain::session::{EndCause, SignInBy};
use carnet_events::ids::{PrincipalId, TenantId, Timestamp};
use carnet_events::store::{EventStore, StoreError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::caller::{Caller, Fingerprint};
use super::oidc::{OidcError, Provider};
use crate::config;
use crate::keys::{KeyRing, Purpose};
use crate::sealed::Kind;
use ended::Ended;
use renewal::{Confirmation, Renewals};

/// A cookie with its name may have 4096 bytes, or browsers drop it.
const KIND: Kind = Kind {
    purpose: Purpose::Sessions,
    label: "carnet session 1",
    max_bytes: 4_000,
};

/// A cookie is written anew when its session's last use is older than this, or a tenth of the idle time: not on every
/// request.
const RENEW_AFTER: Duration = Duration::from_secs(60);

/// Names a session, and tells where its end would stand in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct SessionKey {
    /// Its id: random, new at every sign-in.
    pub id: Uuid,
    /// When its person signed in.
    pub started_at: Timestamp,
}

/// Who signed in, as whoever vouches for them says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Their name at the issuer.
    #[serde(rename = "u")]
    pub subject: String,
    /// Their tenant; operators have none.
    #[serde(rename = "t", default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantId>,
    /// Their roles, sorted.
    #[serde(rename = "r")]
    pub roles: Vec<String>,
    /// Their permissions, sorted.
    #[serde(rename = "p")]
    pub permissions: Vec<String>,
}

/// A provider's refresh token; shown to nobody.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct RefreshToken(String);

impl fmt::Debug for RefreshToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(config::MASK)
    }
}

/// What a cookie holds. Short names: a cookie is small.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    #[serde(rename = "k")]
    key: SessionKey,
    #[serde(rename = "b")]
    by: SignInBy,
    #[serde(rename = "w")]
    who: Identity,
    /// When it was last used, to the coarseness of [`RENEW_AFTER`].
    #[serde(rename = "l")]
    used_at: Timestamp,
    /// When the provider last said what `who` holds.
    #[serde(rename = "c")]
    claimed_at: Timestamp,
    #[serde(rename = "f", default, skip_serializing_if = "Option::is_none")]
    refresh: Option<RefreshToken>,
}

/// What becomes of a request's cookie.
#[derive(Debug)]
pub enum Resumption {
    /// Its session is good.
    Good(Resumed),
    /// It is no session, or one that is over.
    None,
    /// The provider doesn't vouch for its person any more: it is to be ended.
    Refused(Session),
}

/// A request's session, found good.
#[derive(Debug)]
pub struct Resumed {
    /// Whom it speaks for.
    pub caller: Arc<Caller>,
    /// The cookie to be set anew, when it is time.
    pub cookie: Option<String>,
    /// When the person has lost rights: their session goes on under another id, and what was handed out under the old one
    /// must not. Both are to be recorded before anything is answered.
    pub replaced: Option<Replaced>,
}

/// A session that goes on under another id.
#[derive(Debug)]
pub struct Replaced {
    /// As it was; it is over.
    pub old: Session,
    /// As it goes on.
    pub new: Session,
}

/// Why somebody isn't signed in though they should be.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// What is known of them doesn't fit into a cookie.
    #[error("roles, permissions and tokens of this person don't fit into a cookie of 4 KiB")]
    TooLarge,
    /// The provider can't be asked about them.
    #[error(transparent)]
    Provider(#[from] OidcError),
    /// The log can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log holds a record that can't be read.
    #[error("a session's record can't be read: {0}")]
    Read(#[from] DecodeError),
    /// The event can't be written as JSON.
    #[error("a session's record can't be written: {0}")]
    Record(#[from] serde_json::Error),
}

/// Begins, resumes and ends sessions.
pub struct Sessions {
    keys: Arc<KeyRing>,
    store: Arc<dyn EventStore>,
    lifetime: config::Session,
    /// The way of signing in that is open here; sessions begun another way aren't taken.
    way: Way,
    ended: Ended,
    renewals: Renewals,
}

/// How people sign in.
pub enum Way {
    /// Not at all.
    Closed,
    /// By choosing a person of the demo.
    Demo,
    /// Through an identity provider.
    Oidc(Box<Provider>),
}

impl Sessions {
    /// Sessions of people who sign in the way given.
    pub fn new(
        keys: Arc<KeyRing>,
        store: Arc<dyn EventStore>,
        lifetime: config::Session,
        way: Way,
    ) -> Self {
        Self {
            keys,
            store,
            lifetime,
            way,
            ended: Ended::default(),
            renewals: Renewals::default(),
        }
    }

    /// The way of signing in that is open here.
    pub fn way(&self) -> &Way {
        &self.way
    }

    /// Begins a session under a new id and records it; gives the session and its cookie. What cookie the browser brought
    /// along makes no difference.
    ///
    /// # Errors
    /// When the person's claims don't fit into a cookie, or the log can't be written.
    pub async fn start(
        &self,
        by: SignInBy,
        who: Identity,
        principal: PrincipalId,
        refresh: Option<String>,
        now: Timestamp,
    ) -> Result<(Session, String), SessionError> {
        let key = SessionKey {
            id: Uuid::new_v4(),
            started_at: now,
        };
        let session = Session {
            key,
            by,
            who,
            used_at: now,
            claimed_at: now,
            refresh: refresh.map(RefreshToken),
        };
        let cookie = self.seal(&session)?;
        self.ended
            .record_start(self.store.as_ref(), &session, principal, now)
            .await?;
        Ok((session, cookie))
    }

    /// What becomes of a cookie at `now`: whom it speaks for, if it is a session that is still good. A request that isn't a
    /// person's doing, like a page's event stream coming back, doesn't count `as_use`.
    ///
    /// # Errors
    /// When the log or the provider can't be asked: whether a session is good must be known, not guessed.
    pub async fn resume(
        &self,
        cookie: &str,
        as_use: bool,
        now: Timestamp,
    ) -> Result<Resumption, SessionError> {
        let Some(brought) = self.open(cookie, now) else {
            return Ok(Resumption::None);
        };
        if self.is_over(brought.key).await? {
            return Ok(Resumption::None);
        }
        let mut session = match self.confirmed(&brought, now).await? {
            Confirmation::Good(session) => session,
            Confirmation::Stale => return Ok(Resumption::None),
            Confirmation::Refused => return Ok(Resumption::Refused(brought)),
        };
        let mut renew = session != brought;
        if as_use {
            renew |= now.since(session.used_at) >= RENEW_AFTER.min(self.lifetime.idle.get() / 10);
            session.used_at = session.used_at.max(now);
        }
        let cookie = renew.then(|| self.seal(&session)).transpose()?;
        let caller = Arc::new(self.caller(&session));
        let replaced = (session.key != brought.key).then_some(Replaced {
            old: brought,
            new: session,
        });
        Ok(Resumption::Good(Resumed {
            caller,
            cookie,
            replaced,
        }))
    }

    /// The session in a cookie, if its time isn't over. It may have been ended early.
    pub fn open(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let session: Session = KIND.open(cookie, &self.keys)?;
        (self.way.takes(session.by) && now < self.expires_at(&session)).then_some(session)
    }

    /// Whether a session was ended before its time, on whichever node.
    ///
    /// # Errors
    /// When the log can't be read.
    pub async fn is_over(&self, key: SessionKey) -> Result<bool, SessionError> {
        self.ended.contains(self.store.as_ref(), key).await
    }

    /// Ends a session for good, on every node, from the moment this returns. Repeating it is harmless.
    ///
    /// # Errors
    /// When the log can't be written; the session then lives on.
    pub async fn end(
        &self,
        session: &Session,
        principal: PrincipalId,
        cause: EndCause,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        self.ended
            .record_end(self.store.as_ref(), session, principal, cause, now)
            .await
    }

    /// Ends a session on every node that goes on under another id. Repeating it is harmless.
    ///
    /// # Errors
    /// When the log can't be written; the old session then lives on.
    pub async fn replace(
        &self,
        replaced: &Replaced,
        principal: PrincipalId,
        now: Timestamp,
    ) -> Result<(), SessionError> {
        let (old, new) = (&replaced.old, &replaced.new);
        self.end(old, principal.clone(), EndCause::Replaced, now)
            .await?;
        self.ended
            .record_start(self.store.as_ref(), new, principal, now)
            .await
    }

    /// Whom a session speaks for.
    pub fn caller(&self, session: &Session) -> Caller {
        let who = session.who.clone();
        Caller {
            tenant: who.tenant,
            subject: who.subject,
            roles: who.roles,
            permissions: who.permissions,
            expires_at: self.expires_at(session),
            believed_until: self.believed_until(session),
            fingerprint: Fingerprint::of(&session.key.id.to_string()),
            session: Some(session.key),
            form_token: form_token::make(&self.keys, session.key),
        }
    }

    /// Whether `token` is the one that forms of this session carry.
    pub fn is_form_token(&self, key: SessionKey, token: &str) -> bool {
        form_token::verify(&self.keys, key, token)
    }

    fn seal(&self, session: &Session) -> Result<String, SessionError> {
        KIND.seal(session, &self.keys).ok_or(SessionError::TooLarge)
    }

    /// People of the demo don't change; a provider's may.
    fn believed_until(&self, session: &Session) -> Timestamp {
        let ends = self.expires_at(session);
        match session.by {
            SignInBy::Demo => ends,
            SignInBy::Oidc => {
                let max_age = self.lifetime.claims_max_age.get();
                ends.min(session.claimed_at.plus(max_age))
            }
        }
    }

    fn expires_at(&self, session: &Session) -> Timestamp {
        let idle = session.used_at.plus(self.lifetime.idle.get());
        let absolute = session.key.started_at.plus(self.lifetime.absolute.get());
        idle.min(absolute)
    }
}

impl Identity {
    /// Whether they had a role or permission before that they don't have now.
    fn has_lost_of(&self, before: &Self) -> bool {
        let lost = |now: &[String], then: &[String]| then.iter().any(|name| !now.contains(name));
        lost(&self.roles, &before.roles) || lost(&self.permissions, &before.permissions)
    }
}

impl Way {
    fn takes(&self, by: SignInBy) -> bool {
        match self {
            Self::Closed => false,
            Self::Demo => by == SignInBy::Demo,
            Self::Oidc(_) => by == SignInBy::Oidc,
        }
    }
}

impl Session {
    /// Its name.
    pub fn key(&self) -> SessionKey {
        self.key
    }

    /// Who signed in.
    pub fn who(&self) -> &Identity {
        &self.who
    }
}
