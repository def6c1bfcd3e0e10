//! The tables, and the numbers that stand for statuses in them.

use carnet_events::domain::export::{Export, Stage, Status};
use carnet_events::ids::Timestamp;
use carnet_events::stream::StreamKind;

use super::fold::Fold;
use crate::ProjectionName;
use crate::projection::{Blueprint, Index, Table};

pub(crate) static BLUEPRINT: Blueprint = Blueprint {
    name: ProjectionName::Exports,
    version: 5,
    names: "exports_names",
    streams: &[StreamKind::Export],
    tables: &[
        Table {
            name: "exports",
            definition: "(row INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, tenant INTEGER NOT NULL,
                principal INTEGER NOT NULL, created_at INTEGER NOT NULL, status INTEGER NOT NULL, expires_at INTEGER,
                revision INTEGER NOT NULL, code TEXT) STRICT",
        },
        // By the export's row. They are long and would be in the way when indices are made. MessagePack: JSON is longer by
        // half, and takes longer to write.
        Table {
            name: "exports_states",
            definition: "(row INTEGER PRIMARY KEY, state BLOB NOT NULL) STRICT",
        },
        // `principal` 0 counts the whole tenant.
        Table {
            name: "exports_counts",
            definition: "(tenant INTEGER, principal INTEGER, status INTEGER, count INTEGER NOT NULL,
                PRIMARY KEY (tenant, principal, status)) STRICT, WITHOUT ROWID",
        },
        Table {
            name: "exports_last_rows",
            definition: "(tenant INTEGER, category TEXT, at INTEGER NOT NULL, rows INTEGER NOT NULL,
                PRIMARY KEY (tenant, category)) STRICT, WITHOUT ROWID",
        },
    ],
    indices: &[
        Index {
            name: "exports_by_tenant",
            table: "exports",
            definition: "(tenant, created_at, id)",
        },
        Index {
            name: "exports_by_status",
            table: "exports",
            definition: "(tenant, status, created_at, id, expires_at)",
        },
        Index {
            name: "exports_by_principal",
            table: "exports",
            definition: "(tenant, principal, created_at, id, status, expires_at)",
        },
        // Files that can be downloaded, by the end of their window.
        Index {
            name: "exports_by_end",
            table: "exports",
            definition: "(tenant, expires_at, principal) WHERE status = 2",
        },
        Index {
            name: "exports_queued",
            table: "exports",
            definition: "(created_at, id) WHERE status = 0",
        },
        // Across tenants, for operators.
        Index {
            name: "exports_everywhere",
            table: "exports",
            definition: "(created_at, id)",
        },
        Index {
            name: "exports_everywhere_by_status",
            table: "exports",
            definition: "(status, created_at, id)",
        },
        Index {
            name: "exports_everywhere_by_code",
            table: "exports",
            definition: "(code, created_at, id) WHERE code IS NOT NULL",
        },
    ],
    make: |_options| Box::new(Fold::new()),
};

/// An export's state as it stands in the table, into a buffer that is used again.
pub(super) fn write_state(
    state: &mut Vec<u8>,
    export: &Export,
) -> Result<(), rmp_serde::encode::Error> {
    state.clear();
    rmp_serde::encode::write_named(state, export)
}

/// What [`write_state`] wrote.
pub(super) fn read_state(state: &[u8]) -> Result<Export, rmp_serde::decode::Error> {
    rmp_serde::from_slice(state)
}

/// The number of a status in the tables. Partial indices name some of them.
pub(super) const fn code(status: Status) -> i64 {
    match status {
        Status::Queued => 0,
        Status::Running => 1,
        Status::Completed => 2,
        Status::Failed => 3,
        Status::Cancelled => 4,
        Status::Expired => 5,
    }
}

/// Why an export failed, as a code.
pub(super) fn failure(export: &Export) -> Option<&str> {
    match &export.stage {
        Stage::Failed(ending) => Some(&ending.code),
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Completed(_)
        | Stage::Expired(_)
        | Stage::Cancelled(_) => None,
    }
}

/// The end of an export's download window, while it is open by the events alone.
pub(super) fn open_until(export: &Export) -> Option<Timestamp> {
    match &export.stage {
        Stage::Completed(published) => published.expires_at,
        Stage::Queued { .. }
        | Stage::Running(_)
        | Stage::Expired(_)
        | Stage::Failed(_)
        | Stage::Cancelled(_) => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use carnet_events::domain::export::{ExportDecider, ExportEvent};
    use carnet_events::domain::{Decider, Timed};

    use super::*;
    use crate::tests::given::{completed, principal, request, started, tenant, time};

    #[test]
    fn a_state_reads_back_as_it_was_written_whatever_its_stage() {
        let request = request(&tenant("acme"), &principal("ann"));
        let events = [
            ExportEvent::Requested(request),
            started(1),
            completed(1, Some(time(9))),
        ];
        let (mut state, mut written) = (ExportDecider::initial(), Vec::new());
        for event in events {
            state = ExportDecider::evolve(state, &Timed::new(time(0), event));
            let export = state.export().unwrap();
            write_state(&mut written, export).unwrap();
            assert_eq!(&read_state(&written).unwrap(), export);
        }
    }
}
