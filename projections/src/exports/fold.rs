//! Applying events: the domain's own `evolve`, and a row per export.

use std::collections::HashMap;

use carnet_events::domain::export::{Deletion, ExportDecider, ExportEvent, ExportState};
use carnet_events::domain::{Decider, Timed};
use carnet_events::ids::{ExportId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::counts::Counts;
use super::last_rows::Newest;
use super::tables::{code, open_until};
use crate::cache::Cache;
use crate::database::names::Names;
use crate::database::{from_sql, to_sql};
use crate::fact::{Event, Fact, Known};
use crate::projection::{ApplyError, Projection, of_generation};

/// Exports kept in memory so that the next event need not read its row: about 3 KiB each.
const CACHED: usize = 1024;

/// Exports kept in memory without their row being written, while history is read; most are then written once, at the
/// end of their life.
const UNWRITTEN: usize = 16_384;

/// The fold behind the tables of one generation.
pub(super) struct Fold {
    cached: Cache<ExportId, Entry>,
    unwritten: HashMap<ExportId, Entry>,
    json: Vec<u8>,
    counts: Counts,
    newest: Newest,
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
            unwritten: HashMap::new(),
            json: Vec::new(),
            counts: Counts::new(generation),
            newest: Newest::new(generation),
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
            return Ok(Entry::missing());
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
        let unreadable = |reason: String| ApplyError::BadRow(format!("export {id}: {reason}"));
        self.json.clear();
        serde_json::to_writer(&mut self.json, export)
            .map_err(|error| unreadable(error.to_string()))?;
        let state =
            std::str::from_utf8(&self.json).map_err(|error| unreadable(error.to_string()))?;
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
        for fact in facts {
            let Ok(Known {
                event: Event::Export(id, event),
                ..
            }) = &fact.what
            else {
                continue;
            };
            let mut entry = match self.unwritten.remove(id) {
                Some(entry) => entry,
                // Nothing came before the first event: there is no row to look for.
                None if fact.revision == 0 => Entry::missing(),
                None => self.take(tables, *id)?,
            };
            evolve(&mut entry, event, fact.revision);
            if let ExportEvent::Completed(completed) = &event.what
                && let Some(export) = entry.state.export()
            {
                let (newest, request) = (&mut self.newest, &export.request);
                newest.completed(tables, names, request, event.at, completed)?;
            }
            if entry.is_final() {
                self.write(tables, names, *id, &mut entry)?;
            } else {
                self.unwritten.insert(*id, entry);
            }
        }
        if self.unwritten.len().max(self.newest.len()) > UNWRITTEN {
            self.flush(tables, names)?;
        }
        Ok(())
    }

    fn flush(&mut self, tables: &Connection, names: &mut Names) -> Result<(), ApplyError> {
        let mut unwritten: Vec<_> = self.unwritten.drain().collect();
        unwritten.sort_unstable_by_key(|(id, _)| *id);
        for (id, mut entry) in unwritten {
            self.write(tables, names, id, &mut entry)?;
            self.cached.put(id, entry);
        }
        self.counts.write(tables)?;
        self.newest.write(tables)?;
        Ok(())
    }

    fn forget(&mut self) {
        self.cached.clear();
        self.unwritten = HashMap::new();
        self.counts.forget();
        self.newest.forget();
    }
}

impl Entry {
    fn missing() -> Self {
        Self {
            state: ExportDecider::initial(),
            revision: 0,
            stored: None,
        }
    }

    /// Whether there is most likely nothing more to come.
    fn is_final(&self) -> bool {
        self.state
            .export()
            .is_some_and(|export| matches!(export.deletion, Deletion::Done { .. }))
    }
}

fn evolve(entry: &mut Entry, event: &Timed<ExportEvent>, revision: u64) {
    let state = std::mem::replace(&mut entry.state, ExportDecider::initial());
    entry.state = ExportDecider::evolve(state, event);
    entry.revision = revision;
}
