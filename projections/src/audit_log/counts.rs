//! Entries counted while they are folded, so that nobody has to count a million of them: per day by type, and per
//! week by type and principal. Not per day by principal: that would be nearly as many rows as there are entries.

use carnet_events::ids::Timestamp;
use foldhash::HashMap;
use rusqlite::Connection;

/// A day in milliseconds. Days are those of UTC.
pub(super) const DAY: i64 = 86_400_000;

/// Stands for the service itself among principals.
pub(super) const NOBODY: i64 = 0;

/// Stands for all principals together.
const ANYBODY: i64 = -1;

/// The Monday before the epoch's Thursday: what whole weeks are reckoned from.
pub(super) const MONDAY: i64 = -3 * DAY;

/// A span of time that entries are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// By type.
    Day,
    /// By type and principal.
    Week,
}

impl Span {
    /// Its length in milliseconds; also what stands for it in the table.
    pub(super) const fn millis(self) -> i64 {
        match self {
            Self::Day => DAY,
            Self::Week => 7 * DAY,
        }
    }
}

/// The beginning of the one of the spans of a length that a moment lies in. Spans of whole weeks begin on Mondays.
pub(super) fn start_of(at: i64, millis: i64) -> i64 {
    let since = at.saturating_sub(MONDAY).div_euclid(millis);
    since.saturating_mul(millis).saturating_add(MONDAY)
}

/// Rows of one statement.
const AT_ONCE: usize = 16;
const COLUMNS: usize = 6;

/// Tenant, span, its beginning, type and principal.
type Key = [i64; 5];

/// Counts gathered until they are written.
pub(super) struct Counts {
    counts: HashMap<Key, i64>,
    upsert_one: String,
    upsert_many: String,
}

impl Counts {
    pub(super) fn new() -> Self {
        let upsert = |rows: usize| {
            let rows = vec!["(?, ?, ?, ?, ?, ?)"; rows].join(", ");
            format!(
                "INSERT INTO audit_counts VALUES {rows}
                 ON CONFLICT DO UPDATE SET count = count + excluded.count"
            )
        };
        Self {
            counts: HashMap::default(),
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
        let principal = principal.unwrap_or(NOBODY);
        for (span, principal) in [(Span::Day, ANYBODY), (Span::Week, principal)] {
            let millis = span.millis();
            let key = [
                tenant,
                millis,
                start_of(at.as_millis(), millis),
                kind,
                principal,
            ];
            *self.counts.entry(key).or_default() += 1;
        }
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

fn write(tables: &Connection, upsert: &str, counts: &[(Key, i64)]) -> rusqlite::Result<()> {
    let mut upsert = tables.prepare_cached(upsert)?;
    for (row, (key, count)) in counts.iter().enumerate() {
        for (column, value) in key.iter().chain([count]).enumerate() {
            upsert.raw_bind_parameter(row * COLUMNS + column + 1, value)?;
        }
    }
    upsert.raw_execute().map(drop)
}
