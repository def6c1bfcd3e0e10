//! Applying events: the domain's own `evolve`, and a row per export.

use std::collections::HashMap;

use carnet_events::domain::export::{ExportDecider, ExportEvent, ExportState};
use carnet_events::domain::{Decider, Timed};
use carnet_events::ids::{ExportId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::counts::Counts;
use super::tables::{code, open_until};
use crate::cache::Cache;
use crate::database::names::Names;
use crate::database::{from_sql, to_sql};
use crate::fact::{Event, Fact, Known};
use crate::projection::{ApplyError, Projection, of_generation};

/// Exports kept in memory between batches, so that the next event need not read its row: about 3 KiB each.
const CACHED: usize = 2048;

/// The fold behind the tables of one generation.
pub(super) struct Fold {
    cached: Cache<ExportId, Entry>,
    counts: Counts,
    select: String,
    insert: String,
    update: String,
}

/// An export in memory.
struct Entry {
    state: ExportState,
    revision: u64,
    /// The status in its row, if it has one.
    stored: Option<i64>,
}

impl Fold {
    pub(super) fn new(generation: u32) -> Self {
        let sql = |text| of_generation(text, generation);
        Self {
            cached: Cache::new(CACHED),
            counts: Counts::new(generation),
            select: sql("SELECT revision, status, state FROM exports_{g} WHERE id = ?"),
            insert: sql(
                "INSERT INTO exports_{g} (id, tenant, principal, created_at, status, expires_at, revision, state)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ),
            update: sql(
                "UPDATE exports_{g} SET status = ?2, expires_at = ?3, revision = ?4, state = ?5 WHERE id = ?1",
            ),
        }
    }

    /// The export as it is in memory, else as its row has it.
    fn take(&mut self, tables: &Connection, id: ExportId) -> Result<Entry, ApplyError> {
        if let Some(entry) = self.cached.take(&id) {
            return Ok(entry);
        }
        let mut select = tables.prepare_cached(&self.select)?;
        let row = select
            .query_row([id.as_uuid().as_bytes()], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?))
            })
            .optional()?;
        let Some((revision, status, state)) = row else {
            return Ok(Entry {
                state: ExportDecider::initial(),
                revision: 0,
                stored: None,
            });
        };
        let state = serde_json::from_str(&state)
            .map_err(|error| ApplyError::BadRow(format!("export {id}: {error}")))?;
        Ok(Entry {
            state: ExportState::Present(Box::new(state)),
            revision: from_sql(revision),
            stored: Some(status),
        })
    }

    fn write(
        &mut self,
        tables: &Connection,
        names: &mut Names,
        id: ExportId,
        entry: &mut Entry,
    ) -> Result<(), ApplyError> {
        let ExportState::Present(export) = &entry.state else {
            return Ok(());
        };
        let state = serde_json::to_string(export)
            .map_err(|error| ApplyError::BadRow(format!("export {id}: {error}")))?;
        let status = code(export.status());
        let expires_at = open_until(export).map(Timestamp::as_millis);
        let revision = to_sql(entry.revision);
        let uuid = id.as_uuid();
        let tenant = names.id(tables, export.request.tenant.as_str())?;
        let principal = names.id(tables, export.request.principal.as_str())?;
        if entry.stored.is_some() {
            let mut update = tables.prepare_cached(&self.update)?;
            update.execute(params![
                uuid.as_bytes(),
                status,
                expires_at,
                revision,
                state
            ])?;
        } else {
            let mut insert = tables.prepare_cached(&self.insert)?;
            insert.execute(params![
                uuid.as_bytes(),
                tenant,
                principal,
                export.created_at.as_millis(),
                status,
                expires_at,
                revision,
                state,
            ])?;
        }
        self.counts.moved(tenant, principal, entry.stored, status);
        entry.stored = Some(status);
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
        // All events of an export in a batch make one write.
        let mut changed: HashMap<ExportId, Entry> = HashMap::new();
        let mut order: Vec<ExportId> = Vec::new();
        for fact in facts {
            let Ok(Known {
                at,
                event: Event::Export(id, event),
                ..
            }) = &fact.what
            else {
                continue;
            };
            let mut entry = match changed.remove(id) {
                Some(entry) => entry,
                None => {
                    order.push(*id);
                    self.take(tables, *id)?
                }
            };
            evolve(&mut entry, *at, event, fact.revision);
            changed.insert(*id, entry);
        }
        for id in order {
            if let Some(mut entry) = changed.remove(&id) {
                self.write(tables, names, id, &mut entry)?;
                self.cached.put(id, entry);
            }
        }
        self.counts.write(tables)?;
        Ok(())
    }

    fn forget(&mut self) {
        self.cached.clear();
        self.counts.forget();
    }
}

fn evolve(entry: &mut Entry, at: Timestamp, event: &ExportEvent, revision: u64) {
    let state = std::mem::replace(&mut entry.state, ExportDecider::initial());
    entry.state = ExportDecider::evolve(state, &Timed::new(at, event.clone()));
    entry.revision = revision;
}
