//! Why there is no connection, and what to do about it.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::Address;

/// Why there is no connection. Every message names its remedy; none holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// The URL can't be understood, or names a certificate file that can't be used.
    #[error("the PostgreSQL URL is wrong: {reason}")]
    Url {
        /// What is wrong with it.
        reason: String,
    },
    /// User or password is wrong, or the server's rules let nobody in from here.
    #[error(
        "{at} lets us in under no such name: {reason}; check user and password in the URL, and the server's pg_hba.conf"
    )]
    Denied {
        /// Hosts and database.
        at: String,
        /// What the server said.
        reason: String,
    },
    /// The server has no such database.
    #[error(
        "{at}: there is no such database: {reason}; create it (`createdb NAME`), or correct the URL"
    )]
    NoDatabase {
        /// Hosts and database.
        at: String,
        /// What the server said.
        reason: String,
    },
    /// Nobody answers there, or nobody in time.
    #[error(
        "{at} can't be reached: {reason}; check host and port in the URL, and whether the server runs"
    )]
    Unreachable {
        /// Hosts and database.
        at: String,
        /// What happened.
        reason: String,
    },
    /// The server is there, but not now: it starts, stops, or has no room.
    #[error("{at} takes no connection now: {reason}; it is tried again")]
    Busy {
        /// Hosts and database.
        at: String,
        /// What the server said.
        reason: String,
    },
    /// It can't be reached over TLS as the URL demands.
    #[error(
        "{at} can't be reached over TLS: {reason}; check `sslmode` and `sslrootcert` in the URL, and the server's certificate"
    )]
    Tls {
        /// Hosts and database.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// It takes no writes: a standby, or a database set to read only.
    #[error(
        "{at} takes no writes: it is a standby or set to read only; name the primary in the URL, or all hosts, or end `default_transaction_read_only`"
    )]
    ReadOnly {
        /// Hosts and database.
        at: String,
    },
    /// Anything else.
    #[error("{at} can't be used: {reason}")]
    Other {
        /// Hosts and database.
        at: String,
        /// What happened.
        reason: String,
    },
}

/// An error of the library in one line, causes included. What the server says is its message and code; the detail, which
/// may quote rows, is left out.
#[must_use]
pub fn describe(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", said.message(), said.code().code());
    }
    match error.source() {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

pub(super) fn silent(address: &Address, after: Duration) -> ConnectError {
    ConnectError::Unreachable {
        at: address.shown(),
        reason: format!("no answer within {} s", after.as_secs()),
    }
}

pub(super) fn translate(address: &Address, error: &tokio_postgres::Error) -> ConnectError {
    let (at, reason) = (address.shown(), describe(error));
    if let Some(said) = error.as_db_error() {
        return from_server(at, reason, said);
    }
    let io = error
        .source()
        .and_then(|cause| cause.downcast_ref::<io::Error>());
    match io.map(io::Error::kind) {
        _ if reason.contains("TLS") => ConnectError::Tls { at, reason },
        // What the library says of a server that only reads.
        Some(io::ErrorKind::PermissionDenied) if reason.contains("does not allow writes") => {
            ConnectError::ReadOnly { at }
        }
        Some(_) => ConnectError::Unreachable { at, reason },
        None if reason.contains("password") || reason.contains("authentication") => {
            ConnectError::Denied { at, reason }
        }
        None if error.is_closed() => ConnectError::Busy { at, reason },
        None => ConnectError::Other { at, reason },
    }
}

fn from_server(at: String, reason: String, said: &tokio_postgres::error::DbError) -> ConnectError {
    let code = said.code();
    if *code == SqlState::INVALID_CATALOG_NAME {
        return ConnectError::NoDatabase { at, reason };
    }
    if [
        SqlState::INVALID_PASSWORD,
        SqlState::INVALID_AUTHORIZATION_SPECIFICATION,
        SqlState::INSUFFICIENT_PRIVILEGE,
    ]
    .contains(code)
    {
        return ConnectError::Denied { at, reason };
    }
    if [
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
    ]
    .contains(code)
    {
        return ConnectError::Busy { at, reason };
    }
    // PgBouncer says everything under one code.
    if *code == SqlState::PROTOCOL_VIOLATION {
        let message = said.message();
        if message.contains("no such database") {
            return ConnectError::NoDatabase { at, reason };
        }
        if message.contains("password") || message.contains("no such user") {
            return ConnectError::Denied { at, reason };
        }
        return ConnectError::Busy { at, reason };
    }
    ConnectError::Other { at, reason }
}
