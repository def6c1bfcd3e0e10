//! How many exports there are per tenant, principal and status, so that a total is never counted row by row.

use foldhash::HashMap;
use rusqlite::{Connection, params};

/// Stands for all principals of a tenant.
pub(super) const EVERYONE: i64 = 0;

const UPSERT: &str = "INSERT INTO exports_counts VALUES (?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count";

/// Changes to the counts, gathered over a batch.
pub(super) struct Counts {
    /// By tenant, principal and status.
    changes: HashMap<(i64, i64, i64), i64>,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            changes: HashMap::default(),
        }
    }

    /// An export went from one status (none: it is new) to another.
    pub(super) fn moved(&mut self, tenant: i64, principal: i64, from: Option<i64>, to: i64) {
        if from == Some(to) {
            return;
        }
        for whose in [principal, EVERYONE] {
            if let Some(from) = from {
                *self.changes.entry((tenant, whose, from)).or_default() -= 1;
            }
            *self.changes.entry((tenant, whose, to)).or_default() += 1;
        }
    }

    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        let mut upsert = tables.prepare_cached(UPSERT)?;
        for ((tenant, principal, status), change) in self.changes.drain() {
            if change != 0 {
                upsert.execute(params![tenant, principal, status, change])?;
            }
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.changes.clear();
    }
}
