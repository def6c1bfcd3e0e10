//! What can go wrong with one call, told apart by what it says about the call: not made, refused, or nobody knows.

use tonic::{Code, Status};

use super::url::Endpoint;
use crate::store::StoreError;
use crate::store::queue::refuse_sealed;

/// Why one call to one node failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Trouble {
    /// This node doesn't lead; maybe it knows who does. Nothing was done.
    NotLeader(Option<Endpoint>),
    /// No connection, or a node that is starting, electing or overloaded. Nothing was done.
    NotDone(String),
    /// The connection or the answer was lost: it may have been done or not.
    Lost(String),
    /// The stream was erased.
    Deleted,
    /// An append found the stream elsewhere.
    WrongRevision,
    /// The user may not do this.
    Denied,
    /// The server can't take this.
    Invalid(String),
    /// The log was sealed, for this reason: nothing was sent.
    Sealed(String),
}

impl Trouble {
    /// Of an answer to one of our own calls.
    pub(super) fn of_status(status: &Status) -> Self {
        let said = |key: &str| {
            status
                .metadata()
                .get(key)
                .and_then(|text| text.to_str().ok())
        };
        match said("exception") {
            Some("not-leader") => return Self::NotLeader(leader(&said)),
            Some("stream-deleted") => return Self::Deleted,
            Some("access-denied") => return Self::Denied,
            _ => {}
        }
        let text = format!("{:?}: {}", status.code(), status.message());
        match status.code() {
            Code::PermissionDenied | Code::Unauthenticated => Self::Denied,
            Code::InvalidArgument | Code::Unimplemented => Self::Invalid(text),
            // A reading that begins where no record does.
            _ if text.contains("InvalidPosition") => Self::Invalid(text),
            _ if surely_not_done(&text) => Self::NotDone(text),
            _ => Self::Lost(text),
        }
    }

    /// Of an error of the client crate.
    pub(super) fn of_client(error: eventstore::Error) -> Self {
        use eventstore::Error as E;
        match error {
            E::WrongExpectedVersion { .. } => Self::WrongRevision,
            E::ResourceDeleted => Self::Deleted,
            E::AccessDenied => Self::Denied,
            E::NotLeaderException(node) => {
                Self::NotLeader(u16::try_from(node.port).ok().map(|port| Endpoint {
                    host: node.host,
                    port,
                }))
            }
            // Both are told before anything is sent: no connection could be made, or its keeper has died.
            E::GrpcConnectionError(error) => Self::NotDone(error.to_string()),
            E::ConnectionClosed => Self::NotDone("the client gave up".to_owned()),
            E::Grpc {
                code: Code::InvalidArgument,
                message,
            } => Self::Invalid(message),
            E::UnsupportedFeature => {
                Self::Invalid("the server doesn't know this call: is it a KurrentDB?".to_owned())
            }
            other => {
                let text = other.to_string();
                if surely_not_done(&text) {
                    Self::NotDone(text)
                } else {
                    Self::Lost(text)
                }
            }
        }
    }

    /// What the caller of the store is told when there is no use in trying again.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Deleted => StoreError::refused("the stream was erased"),
            Self::Denied => StoreError::refused(
                "its user or password is wrong, or the user may not do this: appending to streams and reading `$all` are needed",
            ),
            Self::Invalid(reason) => StoreError::invalid(reason),
            Self::Sealed(why) => refuse_sealed(&why),
            Self::WrongRevision => StoreError::unavailable("others write to the same stream"),
            Self::NotLeader(_) => StoreError::unavailable("no node leads the cluster now"),
            Self::NotDone(reason) | Self::Lost(reason) => StoreError::unavailable(reason),
        }
    }
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotLeader(_) => f.write_str("the node does not lead"),
            Self::Deleted => f.write_str("the stream was erased"),
            Self::WrongRevision => f.write_str("the stream has moved on"),
            Self::Denied => f.write_str("access was denied"),
            Self::Sealed(_) => f.write_str("the log was sealed"),
            Self::NotDone(reason) | Self::Lost(reason) | Self::Invalid(reason) => {
                f.write_str(reason)
            }
        }
    }
}

fn leader<'a>(said: &impl Fn(&str) -> Option<&'a str>) -> Option<Endpoint> {
    Some(Endpoint {
        host: said("leader-endpoint-host")?.to_owned(),
        port: said("leader-endpoint-port")?.parse().ok()?,
    })
}

/// The words with which a server turns a call away before doing anything, and those of a connection never made. Whatever
/// isn't known here counts as lost, which is always safe.
fn surely_not_done(text: &str) -> bool {
    [
        "Server Is Not Ready",
        "Server Is Too Busy",
        "No leader info available",
        "client error (Connect)",
        "tcp connect error",
    ]
    .iter()
    .any(|words| text.contains(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_that_nothing_was_done_counts_as_not_done() {
        for (status, trouble) in [
            (Status::unavailable("Server Is Not Ready"), "not done"),
            (
                Status::unknown("No leader info available in response"),
                "not done",
            ),
            (Status::unavailable("connection reset"), "lost"),
            (Status::aborted("Operation timed out: x"), "lost"),
            (Status::internal("?"), "lost"),
            (Status::cancelled("?"), "lost"),
            (Status::permission_denied("?"), "denied"),
            (Status::invalid_argument("Maximum Append Size"), "invalid"),
        ] {
            let named = match Trouble::of_status(&status) {
                Trouble::NotDone(_) => "not done",
                Trouble::Lost(_) => "lost",
                Trouble::Denied => "denied",
                Trouble::Invalid(_) => "invalid",
                _ => "else",
            };
            assert_eq!(named, trouble, "{status:?}");
        }
    }

    #[test]
    fn a_follower_names_the_leader() {
        let mut status = Status::not_found("Leader info available");
        let said = status.metadata_mut();
        said.insert(
            "exception",
            tonic::metadata::MetadataValue::from_static("not-leader"),
        );
        said.insert(
            "leader-endpoint-host",
            tonic::metadata::MetadataValue::from_static("b"),
        );
        said.insert(
            "leader-endpoint-port",
            tonic::metadata::MetadataValue::from_static("2114"),
        );
        let leader = Endpoint {
            host: "b".to_owned(),
            port: 2114,
        };
        assert_eq!(
            Trouble::of_status(&status),
            Trouble::NotLeader(Some(leader))
        );
    }
}
