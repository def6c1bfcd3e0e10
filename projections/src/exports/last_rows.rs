//! How many rows each category of a tenant had when it was last exported.

use std::collections::BTreeMap;

use foldhash::HashMap;

use carnet_events::domain::export::Completed;
use carnet_events::domain::request::{ExportKind, Request};
use carnet_events::ids::{TenantId, Timestamp};
use rusqlite::{Connection, params};
use serde::Serialize;

use super::query::name;
use crate::Error;
use crate::database::names::Names;
use crate::database::{from_sql, to_sql};

/// What a category came to when it was last exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct LastRows {
    /// Rows in the file.
    pub rows: u64,
    /// When that export was completed.
    pub at: Timestamp,
}

const UPSERT: &str = "INSERT INTO exports_last_rows VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET rows = excluded.rows, at = excluded.at WHERE excluded.at >= at";

/// The newest counts, gathered until they are written.
pub(super) struct Newest {
    counts: HashMap<(i64, Box<str>), LastRows>,
}

impl Newest {
    pub(super) fn new() -> Self {
        Self {
            counts: HashMap::default(),
        }
    }

    /// How many counts are in memory.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// An export was completed. One of a part of a tenant, or of one person, says nothing of the whole.
    pub(super) fn completed(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        request: &Request,
        at: Timestamp,
        completed: &Completed,
    ) -> rusqlite::Result<()> {
        if request.scope.is_some() || request.kind == ExportKind::Subject {
            return Ok(());
        }
        let tenant = names.id(tables, request.tenant.as_str())?;
        for (category, result) in &completed.categories {
            let new = LastRows {
                rows: result.rows,
                at,
            };
            let known = self.counts.entry((tenant, category.as_str().into()));
            let known = known.or_insert(new);
            if known.at <= at {
                *known = new;
            }
        }
        Ok(())
    }

    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        let mut upsert = tables.prepare_cached(UPSERT)?;
        for ((tenant, category), last) in self.counts.drain() {
            let (at, rows) = (last.at.as_millis(), to_sql(last.rows));
            upsert.execute(params![tenant, category, at, rows])?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.counts.clear();
    }
}

pub(super) const LAST_ROWS: &str =
    "SELECT category, at, rows FROM exports_last_rows WHERE tenant = ?";

pub(super) fn last_rows(
    tables: &Connection,
    tenant: &TenantId,
) -> Result<BTreeMap<String, LastRows>, Error> {
    let Some(tenant) = name(tables, tenant.as_str())? else {
        return Ok(BTreeMap::new());
    };
    let mut select = tables.prepare_cached(LAST_ROWS)?;
    let rows = select.query_map([tenant], |row| {
        let last = LastRows {
            at: Timestamp::from_millis(row.get(1)?),
            rows: from_sql(row.get(2)?),
        };
        Ok((row.get(0)?, last))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
