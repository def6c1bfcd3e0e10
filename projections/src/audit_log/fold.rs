//! The tables, and writing entries into them.

use carnet_events::stream::StreamKind;
use rusqlite::{Connection, params};

use super::entry;
use crate::ProjectionName;
use crate::database::names::Names;
use crate::database::to_sql;
use crate::fact::Fact;
use crate::projection::{ApplyError, Blueprint, Index, Projection, Table, of_generation};

pub(crate) static BLUEPRINT: Blueprint = Blueprint {
    name: ProjectionName::AuditLog,
    version: 1,
    streams: &[StreamKind::Export, StreamKind::Tenant, StreamKind::Access],
    tables: &[
        // The key is the order of reading, so a page is one run of neighbours. An index's entries end in the key too.
        Table {
            name: "audit_log",
            definition: "(tenant INTEGER, at INTEGER, seq INTEGER, type INTEGER NOT NULL, principal INTEGER, export BLOB,
                code TEXT, details TEXT, PRIMARY KEY (tenant, at, seq)) STRICT, WITHOUT ROWID",
        },
    ],
    indices: &[
        Index {
            name: "audit_log_by_type",
            table: "audit_log",
            definition: "(tenant, type, at, seq)",
        },
        Index {
            name: "audit_log_by_principal",
            table: "audit_log",
            definition: "(tenant, principal, at, seq) WHERE principal IS NOT NULL",
        },
        Index {
            name: "audit_log_by_export",
            table: "audit_log",
            definition: "(tenant, export, at, seq) WHERE export IS NOT NULL",
        },
    ],
    make: |generation, _options| Box::new(Fold::new(generation)),
};

/// Writes entries into the table of one generation. Keeps nothing in memory.
struct Fold {
    insert: String,
}

impl Fold {
    fn new(generation: u32) -> Self {
        Self {
            insert: of_generation(
                "INSERT INTO audit_log_{g} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                generation,
            ),
        }
    }
}

impl Projection for Fold {
    fn apply(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        facts: &[Fact],
    ) -> Result<(), ApplyError> {
        let mut insert = tables.prepare_cached(&self.insert)?;
        let mut json = Vec::new();
        for fact in facts {
            let Ok(known) = &fact.what else { continue };
            let Some(draft) = entry::draft(known) else {
                continue;
            };
            draft
                .details
                .write(&mut json)
                .map_err(|error| ApplyError::BadRow(error.to_string()))?;
            let details = match json.is_empty() {
                true => None,
                false => Some(
                    std::str::from_utf8(&json)
                        .map_err(|error| ApplyError::BadRow(error.to_string()))?,
                ),
            };
            let principal = match draft.principal {
                Some(principal) => Some(names.id(tables, principal.as_str())?),
                None => None,
            };
            let export = draft.export.map(|id| id.as_uuid().into_bytes());
            insert.execute(params![
                names.id(tables, known.tenant.as_str())?,
                known.at.as_millis(),
                to_sql(fact.position.prepare),
                names.id(tables, draft.kind)?,
                principal,
                export,
                draft.code,
                details,
            ])?;
        }
        Ok(())
    }

    fn forget(&mut self) {}
}
