//! PostgreSQL's errors in our words.
//!
//! What the server says may quote the data ("invalid input syntax for type integer: …"). Its words are passed on only for the classes of errors
//! that are about statements, rights and the server itself; of the others, the code alone.

use std::error::Error as _;
use std::fmt::Write as _;

use carnet_events::store::postgres::connect::{ConnectError, describe};
use tokio_postgres::error::{DbError, SqlState};

use crate::export::error::ExportError;

/// Classes of SQLSTATE whose messages hold names of tables, columns and roles at most.
const SAFE_CLASSES: [&str; 13] = [
    "08", "0A", "25", "28", "34", "3D", "3F", "40", "42", "53", "55", "57", "58",
];

/// Where an error comes from.
#[derive(Debug, Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a str,
    /// None: it is the source itself that fails.
    pub(super) category: Option<&'a str>,
}

impl Origin<'_> {
    fn source_name(&self) -> String {
        self.source.to_owned()
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> ExportError {
        ExportError::SourceUnavailable {
            source_name: self.source_name(),
            reason: reason.into(),
        }
    }

    pub(super) fn timeout(&self, reason: impl Into<String>) -> ExportError {
        ExportError::SourceTimeout {
            source_name: self.source_name(),
            category: self.category.map(str::to_owned),
            reason: reason.into(),
        }
    }

    fn denied(&self, reason: String) -> ExportError {
        ExportError::SourceDenied {
            source_name: self.source_name(),
            category: self.category.map(str::to_owned),
            reason,
        }
    }

    /// No connection came about. What the server itself denies stays denied; all else is tried again, for a server that is away may be stood
    /// in for by a proxy that answers something else.
    pub(super) fn unconnected(&self, error: &ConnectError) -> ExportError {
        match error {
            ConnectError::Denied { .. }
            | ConnectError::NoDatabase { .. }
            | ConnectError::Url { .. } => self.denied(error.to_string()),
            _ => self.unavailable(error.to_string()),
        }
    }

    /// A statement failed, or the connection under it. `names` are those of its parameters.
    pub(super) fn failed(&self, error: &tokio_postgres::Error, names: &[String]) -> ExportError {
        if let Some(said) = error.as_db_error() {
            return self.said(said, names);
        }
        let lost = error.is_closed()
            || error
                .source()
                .is_some_and(|cause| cause.is::<std::io::Error>());
        let reason = describe(error);
        self.unavailable(if lost {
            format!("the connection was lost: {reason}; it is tried again")
        } else {
            reason
        })
    }

    fn said(&self, said: &DbError, names: &[String]) -> ExportError {
        let reason = explained(said, names);
        let code = said.code();
        if [SqlState::QUERY_CANCELED, SqlState::from_code("25P04")].contains(code) {
            return self.timeout(reason);
        }
        if *code == SqlState::LOCK_NOT_AVAILABLE {
            return ExportError::SourceBusy {
                source_name: self.source_name(),
            };
        }
        if [
            SqlState::INSUFFICIENT_PRIVILEGE,
            SqlState::INVALID_CATALOG_NAME,
        ]
        .contains(code)
        {
            return self.denied(reason);
        }
        match (code.code().get(..2).unwrap_or_default(), self.category) {
            ("28", _) => self.denied(reason),
            ("40", _) => ExportError::SourceConflict {
                source_name: self.source_name(),
                reason,
            },
            ("08" | "53" | "57" | "58" | "XX", _) | (_, None) => self.unavailable(reason),
            _ if *code == SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => self.unavailable(reason),
            (_, Some(category)) => ExportError::QueryFailed {
                category: category.to_owned(),
                reason,
            },
        }
    }
}

/// What the server said, as far as it can't hold data, and what to do about it.
fn explained(said: &DbError, names: &[String]) -> String {
    let code = said.code().code();
    let is_safe = code
        .get(..2)
        .is_some_and(|class| SAFE_CLASSES.contains(&class));
    let mut text = if is_safe {
        said.message().to_owned()
    } else {
        "the server's words may quote data and are not repeated; run the query by hand".to_owned()
    };
    for (at, name) in names.iter().enumerate().rev() {
        text = text.replace(&format!("${}", at + 1), &format!(":{name}"));
    }
    let _ = write!(text, " (SQLSTATE {code})");
    if let Some(remedy) = remedy(said.code()) {
        let _ = write!(text, "; {remedy}");
    }
    text
}

fn remedy(code: &SqlState) -> Option<&'static str> {
    match code.code() {
        "57014" => Some(
            "raise the source's `statement_timeout`, or make the query faster, as by an index on the tenant's column",
        ),
        "25P04" => Some("raise the role's `transaction_timeout`"),
        "42501" => Some(
            "grant the source's role SELECT on what the query reads, as in `grant select on TABLE to ROLE`; where row security limits what it sees, let it see all of the tenants: `alter role ROLE bypassrls`",
        ),
        "42P01" => Some("correct the table's name, or name its schema too"),
        "42P08" | "42P18" => Some("say of which type the parameter is, as in `:scope::uuid`"),
        "42883" => Some("cast one side to the other's type, as in `id = :tenant::uuid`"),
        "40001" | "40P01" => Some(
            "it is tried again; on a standby, set `hot_standby_feedback = on` or raise `max_standby_streaming_delay`",
        ),
        "53300" => Some("it is tried again; raise `max_connections`, or connect through a pooler"),
        "25006" => Some("write a query that only reads"),
        _ => None,
    }
}
