//! Entries counted per tenant, day, type and principal, so that nobody has to count a million of them.

use std::collections::HashMap;

use carnet_events::ids::Timestamp;
use rusqlite::Connection;

use crate::projection::of_generation;

/// A day in milliseconds. Days are those of UTC.
pub(super) const DAY: i64 = 86_400_000;

/// Stands for the service itself among principals.
pub(super) const NOBODY: i64 = 0;

/// Rows of one statement.
const AT_ONCE: usize = 16;
const COLUMNS: usize = 5;

/// Counts gathered until they are written.
pub(super) struct Days {
    /// By tenant, day, type and principal.
    counts: HashMap<(i64, i64, i64, i64), i64>,
    upsert_one: String,
    upsert_many: String,
}

impl Days {
    pub(super) fn new(generation: u32) -> Self {
        let upsert = |rows: usize| {
            let rows = vec!["(?, ?, ?, ?, ?)"; rows].join(", ");
            let sql = format!(
                "INSERT INTO audit_days_{{g}} VALUES {rows}
                 ON CONFLICT DO UPDATE SET count = count + excluded.count"
            );
            of_generation(&sql, generation)
        };
        Self {
            counts: HashMap::new(),
            upsert_one: upsert(1),
            upsert_many: upsert(AT_ONCE),
        }
    }

    /// How many counts are in memory.
    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Counts one entry.
    pub(super) fn add(&mut self, tenant: i64, at: Timestamp, kind: i64, principal: Option<i64>) {
        let day = at.as_millis().div_euclid(DAY).saturating_mul(DAY);
        let key = (tenant, day, kind, principal.unwrap_or(NOBODY));
        *self.counts.entry(key).or_default() += 1;
    }

    /// Writes what was counted, in the table's order.
    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        let mut counts: Vec<_> = self.counts.drain().collect();
        counts.sort_unstable();
        let chunks = counts.chunks_exact(AT_ONCE);
        let rest = chunks.remainder();
        for chunk in chunks {
            write(tables, &self.upsert_many, chunk)?;
        }
        for count in rest {
            write(tables, &self.upsert_one, std::slice::from_ref(count))?;
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.counts.clear();
    }
}

/// A count and its key: tenant, day, type and principal.
type Count = ((i64, i64, i64, i64), i64);

fn write(tables: &Connection, upsert: &str, counts: &[Count]) -> rusqlite::Result<()> {
    let mut upsert = tables.prepare_cached(upsert)?;
    for (row, ((tenant, day, kind, principal), count)) in counts.iter().enumerate() {
        for (column, value) in [tenant, day, kind, principal, count]
            .into_iter()
            .enumerate()
        {
            upsert.raw_bind_parameter(row * COLUMNS + column + 1, value)?;
        }
    }
    upsert.raw_execute().map(drop)
}
