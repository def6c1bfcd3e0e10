//! Why there is no connection, and what to do about it.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use tokio_postgres::error::SqlState;

use super::gauged::{Ended, Verdicts};

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
    /// Something answers there, and it is no PostgreSQL server.
    #[error(
        "{at} is no PostgreSQL server: {reason}; check host and port in the URL, and what listens there"
    )]
    NotPostgres {
        /// Hosts and database.
        at: String,
        /// What it answered.
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

/// What went wrong on the way to a connection.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Nobody is there.
    Absent(io::Error),
    /// Somebody is there and said nothing in time.
    Silent(Duration),
    /// Somebody was there, and broke off.
    Hung(io::Error),
    /// The server refused before there was TLS, with this SQLSTATE.
    Refused(Option<String>),
    /// The answer began with this byte, which no PostgreSQL server's does.
    Foreign(u8),
    /// It said that there is TLS, and what came was none.
    Garbled,
    /// There is no TLS as it is asked for.
    Tls(String),
    /// What the driver met.
    Driver(tokio_postgres::Error),
    /// It takes no writes, and that is asked for.
    ReadOnly,
    /// It takes writes, and one is asked for that doesn't.
    Primary,
}

impl Trouble {
    /// What the driver met on a connection that may have been ended from this side.
    pub(super) fn met(error: tokio_postgres::Error, ended: &Verdicts) -> Self {
        match ended.get() {
            // A server that can't begin a process for us says so before all protocol.
            Some(Ended::Foreign(b'E')) => Self::Refused(None),
            Some(Ended::Foreign(byte)) => Self::Foreign(*byte),
            Some(Ended::TooLarge(_)) | None => Self::Driver(error),
        }
    }
}

pub(super) fn translate(at: String, trouble: Trouble) -> ConnectError {
    match trouble {
        Trouble::Absent(error) => ConnectError::Unreachable {
            at,
            reason: error.to_string(),
        },
        Trouble::Silent(after) => ConnectError::Unreachable {
            at,
            reason: format!("no answer within {} s", after.as_secs()),
        },
        Trouble::Hung(error) => ConnectError::Busy {
            at,
            reason: format!("it broke off the connection ({error})"),
        },
        Trouble::Refused(code) => {
            let code = code.map_or_else(String::new, |code| format!(" (SQLSTATE {code})"));
            ConnectError::Busy {
                at,
                reason: format!("it refuses connections{code}; its own log says why"),
            }
        }
        Trouble::Foreign(byte) => ConnectError::NotPostgres {
            at,
            reason: format!("its answer begins with the byte 0x{byte:02x}"),
        },
        Trouble::Garbled => ConnectError::NotPostgres {
            at,
            reason: "it was asked for TLS and answered something else".into(),
        },
        Trouble::Tls(reason) => ConnectError::Tls { at, reason },
        Trouble::ReadOnly => ConnectError::ReadOnly { at },
        Trouble::Primary => ConnectError::Other {
            at,
            reason:
                "it takes writes, and `target_session_attrs` in the URL asks for one that doesn't"
                    .into(),
        },
        Trouble::Driver(error) => from_driver(at, &error),
    }
}

fn from_driver(at: String, error: &tokio_postgres::Error) -> ConnectError {
    let reason = describe(error);
    if let Some(said) = error.as_db_error() {
        return from_server(at, reason, said);
    }
    let is_io = error.source().is_some_and(|cause| cause.is::<io::Error>());
    match () {
        // It was there a moment ago.
        () if is_io || error.is_closed() => ConnectError::Busy { at, reason },
        () if reason.contains("password") || reason.contains("authentication") => {
            ConnectError::Denied { at, reason }
        }
        () => ConnectError::Other { at, reason },
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
