//! What the other rooms' errors are to a client. The reason goes to the log, once, here; the client learns what to do.

use std::time::Duration;

use carnet_actors::Error as ActorError;
use carnet_events::store::StoreError;
use carnet_projections::Error as ProjectionError;

use super::codes::Code;
use super::problem::Problem;
use crate::auth::SessionError;

const SOON: Duration = Duration::from_secs(1);

/// By then another node may be asked, or this one be upgraded.
const UPGRADE: Duration = Duration::from_secs(10);

impl From<ActorError> for Problem {
    fn from(error: ActorError) -> Self {
        match &error {
            ActorError::NotFound => Code::NotFound.into(),
            ActorError::NotCancellable { .. } => Code::NotCancellable.into(),
            ActorError::DirectoryErased => Code::TenantClosed.into(),
            ActorError::Overloaded | ActorError::Superseded | ActorError::Stopping => {
                Self::from(Code::Overloaded).retry_after(SOON)
            }
            ActorError::ClockSkewed { .. }
            | ActorError::Unavailable { .. }
            | ActorError::Unknown { .. } => {
                tracing::warn!(error = %error, "a command or read found no working event store");
                Self::from(Code::StoreUnavailable).retry_after(SOON)
            }
            ActorError::Newer { .. } => node_outdated(&error),
            ActorError::Illegal { .. } | ActorError::Corrupt { .. } => {
                Self::internal("a command failed", &error)
            }
        }
    }
}

/// A newer release wrote what this node would have to read.
fn node_outdated(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "this node is older than the history it works on");
    Problem::from(Code::NodeOutdated).retry_after(UPGRADE)
}

impl From<ProjectionError> for Problem {
    fn from(error: ProjectionError) -> Self {
        tracing::error!(error = %error, "a read model can't be read");
        Self::from(Code::CatchingUp).retry_after(SOON)
    }
}

impl From<SessionError> for Problem {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::TooLarge => Code::SessionTooLarge.into(),
            SessionError::Store(error) => error.into(),
            SessionError::Provider(error) => {
                tracing::warn!(error = %error, "the identity provider can't be asked");
                Self::from(Code::SignInUnavailable).retry_after(SOON)
            }
            SessionError::Read(error) if error.is_newer() => node_outdated(&error),
            SessionError::Read(error) => Self::internal("a session's record can't be read", &error),
            SessionError::Record(error) => {
                Self::internal("a session's record can't be written", &error)
            }
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        tracing::warn!(error = %error, "the event store can't be read");
        Self::from(Code::StoreUnavailable).retry_after(SOON)
    }
}
