//! The tables.

use carnet_events::stream::StreamKind;

use super::fold::Fold;
use crate::ProjectionName;
use crate::projection::{Blueprint, Index, Table};

pub(crate) static BLUEPRINT: Blueprint = Blueprint {
    name: ProjectionName::Operations,
    version: 4,
    names: "operations_names",
    streams: &[
        StreamKind::Export,
        StreamKind::Tenant,
        StreamKind::Access,
        StreamKind::Platform,
    ],
    tables: &[
        Table {
            name: "operations_statuses",
            definition: "(status TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID",
        },
        // Exports that are not settled: what their durations are reckoned from.
        Table {
            name: "operations_open",
            definition:
                "(export BLOB PRIMARY KEY, running INTEGER NOT NULL, created_at INTEGER NOT NULL,
                started_at INTEGER, node BLOB) STRICT, WITHOUT ROWID",
        },
        // `grain` is the bucket's length in milliseconds, `key` a code or the number of a duration's bucket.
        Table {
            name: "operations_buckets",
            definition:
                "(grain INTEGER, start INTEGER, metric TEXT, key TEXT, count INTEGER NOT NULL,
                PRIMARY KEY (grain, start, metric, key)) STRICT, WITHOUT ROWID",
        },
        // What waits and runs at the end of a minute or hour, and at most in it.
        Table {
            name: "operations_depth",
            definition:
                "(grain INTEGER, start INTEGER, queued INTEGER NOT NULL, running INTEGER NOT NULL,
                queued_max INTEGER NOT NULL, running_max INTEGER NOT NULL, PRIMARY KEY (grain, start)) STRICT, WITHOUT ROWID",
        },
        Table {
            name: "operations_nodes",
            definition: "(node BLOB PRIMARY KEY, incarnation BLOB, version TEXT, started_at INTEGER, alive_at INTEGER,
                drained_by TEXT, drained_since INTEGER) STRICT, WITHOUT ROWID",
        },
        Table {
            name: "operations_intake",
            definition: "(one INTEGER PRIMARY KEY CHECK (one = 1), paused INTEGER NOT NULL, principal TEXT NOT NULL,
                at INTEGER NOT NULL) STRICT",
        },
        Table {
            name: "operations_closed",
            definition: "(tenant INTEGER PRIMARY KEY, principal TEXT NOT NULL, at INTEGER NOT NULL) STRICT",
        },
        Table {
            name: "operations_exemptions",
            definition: "(tenant INTEGER, id TEXT, of_tenant INTEGER NOT NULL, count INTEGER NOT NULL,
                used INTEGER NOT NULL, until INTEGER NOT NULL, principal TEXT NOT NULL, at INTEGER NOT NULL,
                person TEXT, PRIMARY KEY (tenant, id)) STRICT, WITHOUT ROWID",
        },
    ],
    indices: &[
        Index {
            name: "operations_nodes_by_sign",
            table: "operations_nodes",
            definition: "(alive_at DESC, node)",
        },
        Index {
            name: "operations_closed_by_time",
            table: "operations_closed",
            definition: "(at, tenant)",
        },
        Index {
            name: "operations_exemptions_by_time",
            table: "operations_exemptions",
            definition: "(at, tenant, id)",
        },
    ],
    make: |options| Box::new(Fold::new(options)),
};
