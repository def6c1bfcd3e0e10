//! Sessions: who signed in with a browser, and which sessions are over before their time.
//!
//! A session itself stands in a sealed cookie, not here. Stream `sessions-{yyyy-mm-dd}`, named by the day on which the session
//! began, so that whoever holds a session knows the one place where its end would stand.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInBy {
    /// Through an OpenID Connect provider.
    Oidc,
    /// By choosing a person of the demo.
    Demo,
}

impl SignInBy {
    /// What stands for it in events and on every surface.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Oidc => "oidc",
            Self::Demo => "demo",
        }
    }
}

/// Why a session ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndCause {
    /// Its person signed out.
    SignedOut,
    /// The same browser signed in anew, or its person lost rights and goes on in a session of their own.
    Replaced,
    /// The provider doesn't vouch for its person any more, or says they are another one.
    ProviderRefused,
}

impl EndCause {
    /// What stands for it in events and on every surface.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::Replaced => "replaced",
            Self::ProviderRefused => "provider_refused",
        }
    }
}

/// Somebody signed in. Whom and where they belong stands in the event's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStarted {
    /// The session.
    pub session: Uuid,
    /// How they did.
    pub by: SignInBy,
}

/// A session is over before its time; nobody is let in with it any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEnded {
    /// The session.
    pub session: Uuid,
    /// Why.
    pub cause: EndCause,
}

crate::codec::events! {
    /// Everything that is recorded about sessions.
    SessionEvent in Sessions {
        /// Somebody signed in.
        Started(SessionStarted) = "session_started", 1;
        /// A session is over before its time.
        Ended(SessionEnded) = "session_ended", 1;
    }
}
