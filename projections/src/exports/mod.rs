//! The tenants' exports: lists with filters and pages, and the queue.
//!
//! A row is the export's folded state, made by the domain's own `evolve` and kept as JSON, with the columns beside it
//! that lists filter and sort by. So a list shows exactly what the stream would say, a moment later.

mod counts;
mod everywhere;
mod fold;
mod last_rows;
#[cfg(test)]
mod plans;
mod query;
mod tables;

use std::collections::BTreeMap;

use carnet_events::domain::export::{Export, Status};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};

use crate::Error;
use crate::database::Readers;

pub use everywhere::{EverywherePage, EverywhereQuery};
pub use last_rows::LastRows;
pub(crate) use tables::BLUEPRINT;

/// The most rows of a page.
pub const MAX_PAGE_SIZE: u32 = 200;

/// One export, as of some revision of its stream.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportRow {
    /// Its id.
    pub id: ExportId,
    /// The revision of the newest event in it.
    pub revision: u64,
    /// Everything its events say.
    pub export: Export,
    /// Its place in the queue, counted from 1; `None` unless it is queued. A hint: the dispatcher is fair between
    /// tenants and may take a later one first.
    pub queue_position: Option<u64>,
}

/// Which exports of a tenant are asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportQuery {
    /// Whose.
    pub tenant: TenantId,
    /// Only those asked for by this principal.
    pub principal: Option<PrincipalId>,
    /// Only those with this status, as seen at `now`.
    pub status: Option<Status>,
    /// Which page, counted from 1.
    pub page: u32,
    /// Rows of a page, 1 to [`MAX_PAGE_SIZE`]; what is beyond becomes the nearest of them.
    pub page_size: u32,
    /// The moment it is seen at: a file whose window is over then counts as expired, recorded or not.
    pub now: Timestamp,
}

/// A page of exports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExportPage {
    /// The rows, newest first.
    pub rows: Vec<ExportRow>,
    /// Exports on all pages.
    pub total: u64,
}

/// Asks for exports.
#[derive(Clone)]
pub struct Exports {
    readers: Readers,
}

impl Exports {
    pub(crate) fn new(readers: Readers) -> Self {
        Self { readers }
    }

    /// A page of a tenant's exports.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn list(&self, query: ExportQuery) -> Result<ExportPage, Error> {
        let ask = move |tables: &rusqlite::Connection| query::list(tables, &query);
        self.readers.ask(ask).await
    }

    /// A page of the exports of all tenants, for operators. A window that is over counts once that is recorded.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn everywhere(&self, query: EverywhereQuery) -> Result<EverywherePage, Error> {
        let ask = move |tables: &rusqlite::Connection| everywhere::list(tables, &query);
        self.readers.ask(ask).await
    }

    /// One export, whoever's it is.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn get(&self, id: ExportId) -> Result<Option<ExportRow>, Error> {
        self.readers.ask(move |tables| query::get(tables, id)).await
    }

    /// The place of a queued export in the queue, counted from 1.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn queue_position(&self, id: ExportId) -> Result<Option<u64>, Error> {
        let ask = move |tables: &rusqlite::Connection| query::queue_position(tables, id);
        self.readers.ask(ask).await
    }

    /// Rows of each category of a tenant when it was last exported whole, by the category's id. Costs a row per category.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn last_rows(&self, tenant: TenantId) -> Result<BTreeMap<String, LastRows>, Error> {
        let ask = move |tables: &rusqlite::Connection| last_rows::last_rows(tables, &tenant);
        self.readers.ask(ask).await
    }
}
