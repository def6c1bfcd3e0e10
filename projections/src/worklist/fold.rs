//! The table, and keeping an entry per export that something is left to do about.

use carnet_events::domain::export::Outcome;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::ids::{ExportId, Incarnation, NodeId, TenantId, Timestamp};
use carnet_events::recent::Cache;
use carnet_events::stream::StreamKind;
use foldhash::HashMap;
use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use uuid::Uuid;

use super::item::{Item, Stage};
use crate::ProjectionName;
use crate::database::names::Names;
use crate::database::{from_sql, to_sql};
use crate::fact::{Event, Fact, Known};
use crate::projection::{ApplyError, Blueprint, Index, Projection, Table};

pub(crate) static BLUEPRINT: Blueprint = Blueprint {
    name: ProjectionName::Worklist,
    version: 3,
    names: "worklist_names",
    streams: &[StreamKind::Export, StreamKind::Tenant],
    tables: &[Table {
        name: "worklist",
        definition: "(export BLOB PRIMARY KEY, tenant INTEGER NOT NULL, admitted INTEGER NOT NULL, released INTEGER NOT NULL,
            since INTEGER NOT NULL, stage INTEGER NOT NULL, attempts INTEGER NOT NULL, revision INTEGER NOT NULL,
            not_before INTEGER, node BLOB, incarnation BLOB, lease_ms INTEGER, alive_at INTEGER, outcome INTEGER,
            expires_at INTEGER, expired INTEGER NOT NULL, held INTEGER NOT NULL, deleting_since INTEGER,
            deleted INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    },
    Table {
        name: "worklist_endings",
        definition: "(tenant TEXT PRIMARY KEY, grace_until INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    }],
    indices: &[
        Index {
            name: "worklist_by_stage",
            table: "worklist",
            definition: "(stage, since, export) WHERE stage < 3",
        },
        Index {
            name: "worklist_unreleased",
            table: "worklist",
            definition: "(since, export) WHERE stage = 3 AND admitted = 1 AND released = 0",
        },
        Index {
            name: "worklist_unexpired",
            table: "worklist",
            definition: "(expires_at, export) WHERE expires_at IS NOT NULL AND expired = 0",
        },
        Index {
            name: "worklist_kept",
            table: "worklist",
            definition: "(expires_at, export) WHERE expires_at IS NOT NULL AND held = 0 AND deleting_since IS NULL",
        },
        Index {
            name: "worklist_deleting",
            table: "worklist",
            definition: "(deleting_since, export) WHERE deleting_since IS NOT NULL AND deleted = 0",
        },
    ],
    make: |_options| Box::new(Fold::new()),
};

/// Entries kept in memory so that the next event need not read its row: about 200 bytes each.
const CACHED: usize = 8192;

/// Entries kept in memory without being written, while history is read; most come to nothing before they ever are.
const UNWRITTEN: usize = 65_536;

/// One entry.
pub(super) const TAKE: &str =
    "SELECT w.*, (SELECT text FROM worklist_names WHERE id = w.tenant) AS tenant_id FROM worklist w
    WHERE w.export = ?";
const UPSERT: &str =
    "INSERT OR REPLACE INTO worklist (export, tenant, admitted, released, since, stage, attempts, revision,
        not_before, node, incarnation, lease_ms, alive_at, outcome, expires_at, expired, held, deleting_since, deleted)
    VALUES (:export, :tenant, :admitted, :released, :since, :stage, :attempts, :revision,
        :not_before, :node, :incarnation, :lease_ms, :alive_at, :outcome, :expires_at, :expired, :held, :deleting_since, :deleted)";
const DELETE: &str = "DELETE FROM worklist WHERE export = ?";
const ENDS: &str = "INSERT OR REPLACE INTO worklist_endings (tenant, grace_until) VALUES (?1, ?2)";
const ENDS_NOT: &str = "DELETE FROM worklist_endings WHERE tenant = ?";

struct Fold {
    cached: Cache<ExportId, Item, RandomState>,
    unwritten: HashMap<ExportId, Touched>,
}

/// An entry that has changed.
struct Touched {
    item: Option<Item>,
    /// Whether there was an entry before.
    stored: bool,
}

impl Fold {
    fn new() -> Self {
        Self {
            cached: Cache::new(CACHED),
            unwritten: HashMap::default(),
        }
    }

    fn take(&mut self, tables: &Connection, id: ExportId) -> Result<Touched, ApplyError> {
        if let Some(item) = self.cached.take(&id) {
            return Ok(Touched {
                item: Some(item),
                stored: true,
            });
        }
        let mut select = tables.prepare_cached(TAKE)?;
        let item = select
            .query_row([id.as_uuid().as_bytes()], |row| Ok(read(row)))
            .optional()?
            .transpose()?;
        Ok(Touched {
            stored: item.is_some(),
            item,
        })
    }

    fn write(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        id: ExportId,
        touched: Touched,
    ) -> Result<(), ApplyError> {
        match touched.item {
            Some(item) if !item.is_done() => {
                write(
                    &mut *tables.prepare_cached(UPSERT)?,
                    tables,
                    names,
                    id,
                    &item,
                )?;
                self.cached.put(id, item);
            }
            Some(_) if touched.stored => {
                let mut delete = tables.prepare_cached(DELETE)?;
                delete.execute([id.as_uuid().as_bytes()])?;
            }
            Some(_) | None => {}
        }
        Ok(())
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
            let Ok(known) = &fact.what else { continue };
            note_ending(tables, known)?;
            let id = match &known.event {
                Event::Export(id, _) => *id,
                Event::Admitted(admitted) => admitted.export,
                Event::Tenant(TenantEvent::ExportReleased(released)) => released.export,
                Event::Tenant(_) | Event::Access(_) | Event::Session(_) | Event::Platform(_) => {
                    continue;
                }
            };
            let mut entry = match self.unwritten.remove(&id) {
                Some(entry) => entry,
                None => self.take(tables, id)?,
            };
            evolve(&mut entry.item, known, fact.revision);
            // What was never written and is done leaves no trace.
            if entry.stored || entry.item.as_ref().is_some_and(|item| !item.is_done()) {
                self.unwritten.insert(id, entry);
            }
        }
        if self.unwritten.len() > UNWRITTEN {
            self.flush(tables, names)?;
        }
        Ok(())
    }

    fn flush(&mut self, tables: &Connection, names: &mut Names) -> Result<(), ApplyError> {
        let mut unwritten: Vec<_> = self.unwritten.drain().collect();
        unwritten.sort_unstable_by_key(|(id, _)| *id);
        for (id, entry) in unwritten {
            self.write(tables, names, id, entry)?;
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.cached.clear();
        self.unwritten = HashMap::default();
    }
}

/// Keeps the tenants that have cancelled and are not purged. There are few such events, so they are written at once.
fn note_ending(tables: &Connection, known: &Known) -> Result<(), ApplyError> {
    let (Some(tenant), Event::Tenant(event)) = (&known.tenant, &known.event) else {
        return Ok(());
    };
    match event {
        TenantEvent::Cancelled(cancelled) => {
            let mut ends = tables.prepare_cached(ENDS)?;
            ends.execute((tenant.as_str(), cancelled.grace_until.as_millis()))?;
        }
        TenantEvent::Reactivated(_) | TenantEvent::Purged(_) => {
            tables
                .prepare_cached(ENDS_NOT)?
                .execute([tenant.as_str()])?;
        }
        TenantEvent::ExportAdmitted(_)
        | TenantEvent::ExportReleased(_)
        | TenantEvent::ExemptionGranted(_)
        | TenantEvent::Closed(_)
        | TenantEvent::Reopened(_)
        | TenantEvent::PurgeStarted(_)
        | TenantEvent::ModuleSwitched(_)
        | TenantEvent::ScheduleSet(_)
        | TenantEvent::ScheduleSkipped(_) => {}
    }
    Ok(())
}

fn evolve(item: &mut Option<Item>, known: &Known, revision: u64) {
    let Some(tenant) = &known.tenant else {
        return;
    };
    let new = |admitted| Item::new(tenant.clone(), admitted, known.at);
    match &known.event {
        Event::Admitted(_) => {
            item.get_or_insert_with(|| new(true)).admitted = true;
        }
        Event::Tenant(TenantEvent::ExportReleased(_)) => {
            if let Some(item) = item {
                item.released = true;
            }
        }
        Event::Export(_, event) => {
            use carnet_events::domain::export::ExportEvent::Requested;
            if matches!(event.what, Requested(_)) {
                item.get_or_insert_with(|| new(false));
            }
            // Without an entry nothing was left to do, and nothing but a request can change that.
            if let Some(item) = item {
                item.evolve(known.at, &event.what, revision);
            }
        }
        Event::Tenant(_) | Event::Access(_) | Event::Session(_) | Event::Platform(_) => {}
    }
}

pub(super) const ADMITTED: i64 = 0;
pub(super) const QUEUED: i64 = 1;
pub(super) const RUNNING: i64 = 2;
const SETTLED: i64 = 3;

fn write(
    upsert: &mut rusqlite::Statement<'_>,
    tables: &Connection,
    names: &mut Names,
    id: ExportId,
    item: &Item,
) -> Result<(), ApplyError> {
    let mut stage = ADMITTED;
    let (mut not_before, mut expires_at, mut outcome_code, mut is_expired) =
        (None, None, None, false);
    let (mut node_id, mut incarnation_id, mut lease, mut alive) = (None, None, None, None);
    match &item.stage {
        Stage::Admitted => {}
        Stage::Queued { not_before: until } => {
            stage = QUEUED;
            not_before = *until;
        }
        Stage::Running {
            node,
            incarnation,
            lease_ms,
            alive_at,
        } => {
            stage = RUNNING;
            node_id = Some(node.as_uuid().into_bytes());
            incarnation_id = Some(incarnation.as_uuid().into_bytes());
            lease = Some(to_sql(*lease_ms));
            alive = Some(*alive_at);
        }
        Stage::Settled {
            outcome,
            expires_at: end,
            expired,
        } => {
            stage = SETTLED;
            expires_at = *end;
            outcome_code = Some(code(*outcome));
            is_expired = *expired;
        }
    }
    upsert.execute(named_params! {
        ":export": id.as_uuid().as_bytes(), ":tenant": names.id(tables, item.tenant.as_str())?,
        ":admitted": item.admitted, ":released": item.released, ":since": item.since.as_millis(), ":stage": stage,
        ":attempts": item.attempts, ":revision": to_sql(item.revision),
        ":not_before": not_before.map(Timestamp::as_millis), ":node": node_id, ":incarnation": incarnation_id,
        ":lease_ms": lease, ":alive_at": alive.map(Timestamp::as_millis), ":outcome": outcome_code,
        ":expires_at": expires_at.map(Timestamp::as_millis), ":expired": is_expired, ":held": item.held,
        ":deleting_since": item.deleting_since.map(Timestamp::as_millis), ":deleted": item.deleted,
    })?;
    Ok(())
}

fn read(row: &Row<'_>) -> Result<Item, ApplyError> {
    let bad = |what: &str| ApplyError::BadRow(format!("worklist: {what}"));
    let stage = match row.get("stage")? {
        ADMITTED => Stage::Admitted,
        QUEUED => Stage::Queued {
            not_before: time(row, "not_before")?,
        },
        RUNNING => Stage::Running {
            node: NodeId::from_uuid(Uuid::from_bytes(row.get("node")?)),
            incarnation: Incarnation::from_uuid(Uuid::from_bytes(row.get("incarnation")?)),
            lease_ms: from_sql(row.get("lease_ms")?),
            alive_at: time(row, "alive_at")?.unwrap_or_default(),
        },
        SETTLED => Stage::Settled {
            outcome: outcome(row.get("outcome")?).ok_or_else(|| bad("no such outcome"))?,
            expires_at: time(row, "expires_at")?,
            expired: row.get("expired")?,
        },
        _ => return Err(bad("no such stage")),
    };
    let tenant: String = row.get("tenant_id")?;
    Ok(Item {
        tenant: TenantId::new(tenant).map_err(|error| bad(&error.to_string()))?,
        admitted: row.get("admitted")?,
        released: row.get("released")?,
        since: time(row, "since")?.unwrap_or_default(),
        stage,
        attempts: row.get("attempts")?,
        revision: from_sql(row.get("revision")?),
        held: row.get("held")?,
        deleting_since: time(row, "deleting_since")?,
        deleted: row.get("deleted")?,
    })
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row
        .get::<_, Option<i64>>(column)?
        .map(Timestamp::from_millis))
}

fn code(outcome: Outcome) -> i64 {
    match outcome {
        Outcome::Completed => 0,
        Outcome::Failed => 1,
        Outcome::Cancelled => 2,
    }
}

/// The outcome that stands for a number in the table.
pub(super) fn outcome(code: i64) -> Option<Outcome> {
    let all = [Outcome::Completed, Outcome::Failed, Outcome::Cancelled];
    all.into_iter().find(|outcome| self::code(*outcome) == code)
}
