//! The tables, and writing entries into them.

use std::ops::Range;

use carnet_events::stream::StreamKind;
use rusqlite::{Connection, Statement};

use super::counts::Counts;
use super::entry::{self, Draft};
use crate::ProjectionName;
use crate::database::names::Names;
use crate::database::to_sql;
use crate::fact::{Fact, Known};
use crate::projection::{ApplyError, Blueprint, Index, Projection, Table};

pub(crate) static BLUEPRINT: Blueprint = Blueprint {
    name: ProjectionName::AuditLog,
    version: 4,
    names: "audit_names",
    streams: &[
        StreamKind::Export,
        StreamKind::Tenant,
        StreamKind::Access,
        StreamKind::Sessions,
    ],
    tables: &[
        // The key is the order of reading, so a page is one run of neighbours. An index's entries end in the key too.
        Table {
            name: "audit_log",
            definition: "(tenant INTEGER, at INTEGER, seq INTEGER, type INTEGER NOT NULL, principal INTEGER, export BLOB,
                code TEXT, details TEXT, PRIMARY KEY (tenant, at, seq)) STRICT, WITHOUT ROWID",
        },
        // Entries of a span of time, by type and for the longer span by principal too. `span` is its length in milliseconds.
        Table {
            name: "audit_counts",
            definition: "(tenant INTEGER, span INTEGER, start INTEGER, type INTEGER, principal INTEGER, count INTEGER NOT NULL,
                PRIMARY KEY (tenant, span, start, type, principal)) STRICT, WITHOUT ROWID",
        },
    ],
    // What is counted by (type, principal) stands at their ends, so that counting reads nothing else.
    indices: &[
        Index {
            name: "audit_log_by_type",
            table: "audit_log",
            definition: "(tenant, type, at, seq, principal)",
        },
        Index {
            name: "audit_log_by_principal",
            table: "audit_log",
            definition: "(tenant, principal, at, seq, type) WHERE principal IS NOT NULL",
        },
        Index {
            name: "audit_log_by_export",
            table: "audit_log",
            definition: "(tenant, export, at, seq, type, principal) WHERE export IS NOT NULL",
        },
    ],
    make: |_options| Box::new(Fold::new()),
};

/// Entries kept in memory until they are written together, in the table's order, so that those of a tenant come as one run:
/// some 400 bytes each.
const UNWRITTEN: usize = 16_384;

/// Counts kept in memory without being written, while history is read.
const UNWRITTEN_COUNTS: usize = 65_536;

/// Entries of one statement: running a statement costs as much as a row.
const AT_ONCE: usize = 16;
const COLUMNS: usize = 8;

/// Writes entries into the table.
struct Fold {
    unwritten: Vec<Entry>,
    counts: Counts,
    /// The codes and details of the entries in memory.
    texts: String,
    json: Vec<u8>,
    insert_one: String,
    insert_many: String,
}

/// An entry in memory; its texts are ranges of [`Fold::texts`].
struct Entry {
    key: (i64, i64, i64),
    kind: i64,
    principal: Option<i64>,
    export: Option<[u8; 16]>,
    code: Option<Range<usize>>,
    details: Option<Range<usize>>,
}

impl Fold {
    fn new() -> Self {
        let insert = "INSERT INTO audit_log VALUES";
        let row = "(?, ?, ?, ?, ?, ?, ?, ?)";
        Self {
            unwritten: Vec::new(),
            counts: Counts::new(),
            texts: String::new(),
            json: Vec::new(),
            insert_one: format!("{insert} {row}"),
            insert_many: format!("{insert} {}", [row; AT_ONCE].join(", ")),
        }
    }

    fn take(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        fact: &Fact,
        known: &Known,
        draft: &Draft<'_>,
    ) -> Result<(), ApplyError> {
        let Some(tenant) = &known.tenant else {
            return Ok(());
        };
        let bad = |reason: String| ApplyError::BadRow(format!("{}: {reason}", fact.position));
        let written = draft.details.write(&mut self.json);
        written.map_err(|error| bad(error.to_string()))?;
        let json = std::str::from_utf8(&self.json).map_err(|error| bad(error.to_string()))?;
        let mut keep = |text: &str| {
            let begin = self.texts.len();
            self.texts.push_str(text);
            begin..self.texts.len()
        };
        let principal = match draft.principal {
            Some(principal) => Some(names.id(tables, principal.as_str())?),
            None => None,
        };
        let tenant = names.id(tables, tenant.as_str())?;
        let kind = names.id(tables, draft.kind)?;
        self.counts.add(tenant, known.at, kind, principal);
        self.unwritten.push(Entry {
            key: (tenant, known.at.as_millis(), to_sql(fact.position.prepare)),
            kind,
            principal,
            export: draft.export.map(|id| id.as_uuid().into_bytes()),
            code: draft.code.map(&mut keep),
            details: (!json.is_empty()).then(|| keep(json)),
        });
        Ok(())
    }

    fn write_entries(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        self.unwritten.sort_unstable_by_key(|entry| entry.key);
        let chunks = self.unwritten.chunks_exact(AT_ONCE);
        let rest = chunks.remainder();
        if chunks.len() > 0 {
            let mut insert = tables.prepare_cached(&self.insert_many)?;
            for chunk in chunks {
                for (row, entry) in chunk.iter().enumerate() {
                    self.bind(&mut insert, row, entry)?;
                }
                insert.raw_execute()?;
            }
        }
        let mut insert = tables.prepare_cached(&self.insert_one)?;
        for entry in rest {
            self.bind(&mut insert, 0, entry)?;
            insert.raw_execute()?;
        }
        self.unwritten.clear();
        self.texts.clear();
        Ok(())
    }

    fn bind(&self, insert: &mut Statement<'_>, row: usize, entry: &Entry) -> rusqlite::Result<()> {
        let text = |range: &Option<Range<usize>>| {
            let range = range.as_ref()?;
            self.texts.get(range.clone())
        };
        let first = row * COLUMNS;
        let (tenant, at, seq) = entry.key;
        insert.raw_bind_parameter(first + 1, tenant)?;
        insert.raw_bind_parameter(first + 2, at)?;
        insert.raw_bind_parameter(first + 3, seq)?;
        insert.raw_bind_parameter(first + 4, entry.kind)?;
        insert.raw_bind_parameter(first + 5, entry.principal)?;
        insert.raw_bind_parameter(first + 6, entry.export)?;
        insert.raw_bind_parameter(first + 7, text(&entry.code))?;
        insert.raw_bind_parameter(first + 8, text(&entry.details))
    }
}

impl Projection for Fold {
    fn apply(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        facts: &[Fact],
    ) -> Result<(), ApplyError> {
        for fact in facts {
            if let Ok(known) = &fact.what
                && let Some(draft) = entry::draft(known)
            {
                self.take(tables, names, fact, known, &draft)?;
            }
        }
        if self.unwritten.len() >= UNWRITTEN {
            self.write_entries(tables)?;
        }
        if self.counts.len() >= UNWRITTEN_COUNTS {
            self.counts.write(tables)?;
        }
        Ok(())
    }

    fn flush(&mut self, tables: &Connection, _names: &mut Names) -> Result<(), ApplyError> {
        self.write_entries(tables)?;
        Ok(self.counts.write(tables)?)
    }

    fn forget(&mut self) {
        self.unwritten.clear();
        self.texts.clear();
        self.counts.forget();
    }
}
