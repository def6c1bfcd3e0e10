//! Running exports that give no sign of life.

use std::time::Duration;

use carnet_events::ids::Timestamp;
use rusqlite::{Connection, params};

use crate::Error;
use crate::database::from_sql;
use crate::worklist::{Running, read_running};

/// Running exports that give no sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stuck {
    /// The ones silent longest.
    pub exports: Vec<Running>,
    /// How many there are in all.
    pub total: u64,
}

/// Found among the running ones, which an index knows; as many as there are workers.
pub(super) const SILENT: &str =
    "FROM worklist w WHERE w.stage < 3 AND w.stage = 2 AND w.alive_at <= ?";

pub(super) fn list_sql() -> String {
    format!(
        "SELECT w.*, w.since AS mark, (SELECT text FROM worklist_names WHERE id = w.tenant) AS tenant_id {SILENT}
         ORDER BY w.alive_at, w.export LIMIT ?"
    )
}

pub(super) fn stuck(
    tables: &Connection,
    now: Timestamp,
    age: Duration,
    limit: u32,
) -> Result<Stuck, Error> {
    let silent_since = now.minus(age).as_millis();
    let mut count = tables.prepare_cached(&format!("SELECT count(*) {SILENT}"))?;
    let total = count.query_row([silent_since], |row| row.get(0))?;
    let mut select = tables.prepare_cached(&list_sql())?;
    let mut rows = select.query(params![silent_since, limit])?;
    let mut exports = Vec::new();
    while let Some(row) = rows.next()? {
        exports.push(read_running(row)?);
    }
    Ok(Stuck {
        exports,
        total: from_sql(total),
    })
}
