//! The tenants' audit logs: one entry per outcome.
//!
//! What is in it: requests admitted and refused; exports completed, failed, cancelled and expired; files downloaded,
//! blocked, damaged, deleted and held; links handed out and taken back; reads of the log itself and of what was not
//! there for the asker; people signing in and sessions ending; what operators and tenants did to the tenant. [`TYPES`] names them.
//!
//! What is not: how an export was run (queued, started, progressed, attempts, slots). That stands in its own history.
//!
//! An entry holds safe metadata only: ids, codes with parameters, counts, digests, times. Which of an event's fields
//! that is, is listed one by one in `details.rs`; object keys and scopes are not among them.
//!
//! Entries are in the order of time; those of one millisecond in the log's order.

mod counts;
mod cursor;
mod density;
mod details;
mod entry;
mod facets;
mod fold;
#[cfg(test)]
mod plans;
mod query;
mod scan;
mod stream;

use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use crate::Error;
use crate::database::Readers;

pub use cursor::{AuditCursor, InvalidCursor};
pub use density::{AuditBar, AuditDensity, MAX_BARS};
pub use entry::TYPES;
pub use facets::{AuditFacets, MAX_PERSONS, PersonCount};
pub(crate) use fold::BLUEPRINT;
pub use stream::AuditStream;

/// The most entries of a page.
pub const MAX_PAGE_SIZE: u32 = 1000;

/// One entry of a tenant's audit log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditEntry {
    /// Where it stands in the log; the page after it begins here.
    pub cursor: AuditCursor,
    /// What happened: one of [`TYPES`].
    #[serde(rename = "type")]
    pub kind: String,
    /// When.
    pub at: Timestamp,
    /// Who did it; `None`: the service itself.
    pub principal: Option<PrincipalId>,
    /// The export it is about, if about one.
    pub export_id: Option<ExportId>,
    /// Why, as a code, where there is a why.
    pub code: Option<String>,
    /// What else is known of it; an object.
    pub details: Value,
}

/// Which way the log is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuditOrder {
    /// From the newest entry back.
    #[default]
    NewestFirst,
    /// From the oldest entry on.
    OldestFirst,
}

/// Which entries of a tenant's log are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditQuery {
    /// Whose log.
    pub tenant: TenantId,
    /// Only entries at or after this moment.
    pub from: Option<Timestamp>,
    /// Only entries before this moment.
    pub to: Option<Timestamp>,
    /// Only entries of this type.
    pub kind: Option<String>,
    /// Only what this principal did.
    pub principal: Option<PrincipalId>,
    /// Only what is about this export.
    pub export: Option<ExportId>,
    /// Which way.
    pub order: AuditOrder,
}

impl AuditQuery {
    /// All of a tenant's log, newest first.
    #[must_use]
    pub fn new(tenant: TenantId) -> Self {
        Self {
            tenant,
            from: None,
            to: None,
            kind: None,
            principal: None,
            export: None,
            order: AuditOrder::default(),
        }
    }
}

/// A page of an audit log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AuditPage {
    /// The entries, in the order asked for.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins; `None`: this was the last.
    pub next: Option<AuditCursor>,
}

/// Asks for audit logs.
#[derive(Clone)]
pub struct AuditLog {
    readers: Readers,
}

impl AuditLog {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers }
    }

    /// A page of a tenant's log: the entries that follow `after` in the order asked for, or the first ones.
    /// `page_size` is 1 to [`MAX_PAGE_SIZE`]; what is beyond becomes the nearest of them.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn page(
        &self,
        query: AuditQuery,
        after: Option<AuditCursor>,
        page_size: u32,
    ) -> Result<AuditPage, Error> {
        let size = page_size.clamp(1, MAX_PAGE_SIZE);
        let ask = move |tables: &rusqlite::Connection| query::page(tables, &query, after, size);
        self.readers.ask(ask).await
    }

    /// What the entries that match come to, by type and by person.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn facets(&self, query: AuditQuery) -> Result<AuditFacets, Error> {
        let ask = move |tables: &rusqlite::Connection| facets::facets(tables, &query);
        self.readers.ask(ask).await
    }

    /// How the entries that match lie in time, as at most `bars` bars, 2 to [`MAX_BARS`]; what is beyond becomes the nearest
    /// of them.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn density(&self, query: AuditQuery, bars: u32) -> Result<AuditDensity, Error> {
        let ask = move |tables: &rusqlite::Connection| density::density(tables, &query, bars);
        self.readers.ask(ask).await
    }

    /// The entry of a tenant's log that stands at `cursor`.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn entry(
        &self,
        tenant: TenantId,
        cursor: AuditCursor,
    ) -> Result<Option<AuditEntry>, Error> {
        let before = AuditCursor {
            seq: cursor.seq.saturating_sub(1),
            ..cursor
        };
        let query = AuditQuery {
            order: AuditOrder::OldestFirst,
            ..AuditQuery::new(tenant)
        };
        let page = self.page(query, Some(before), 1).await?;
        let found = page.entries.into_iter().next();
        Ok(found.filter(|entry| entry.cursor == cursor))
    }

    /// Everything that matches, in bounded memory: for files. What is recorded after the stream was begun is not in it,
    /// however long it is read. A reader may be slow; nothing is held open between pages.
    #[must_use]
    pub fn stream(&self, query: AuditQuery) -> AuditStream {
        AuditStream::new(self.clone(), query)
    }
}
