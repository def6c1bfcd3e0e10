//! Applying events: the domain's own `evolve`, and a row per export.

use carnet_events::domain::export::{Deletion, ExportDecider, ExportEvent, ExportState};
use carnet_events::domain::{Decider, Timed};
use carnet_events::ids::{ExportId, Timestamp};
use carnet_events::recent::Cache;
use foldhash::HashMap;
use foldhash::fast::RandomState;
use rusqlite::{Connection, OptionalExtension, params};

use super::counts::Counts;
use super::last_rows::Newest;
use super::tables::{code, failure, open_until, read_state, write_state};
use crate::database::names::Names;
use crate::database::{from_sql, to_sql};
use crate::fact::{Event, Fact, Known};
use crate::projection::{ApplyError, Projection};

/// Exports kept in memory so that the next event need not read its row: about 3 KiB each.
const CACHED: usize = 1024;

/// Exports kept in memory without their row being written, while history is read; most are then written once, at the
/// end of their life.
const UNWRITTEN: usize = 16_384;

/// The fold behind the tables.
pub(super) struct Fold {
    cached: Cache<ExportId, Entry, RandomState>,
    unwritten: HashMap<ExportId, Entry>,
    state: Vec<u8>,
    counts: Counts,
    newest: Newest,
}

const SELECT: &str =
    "SELECT row, revision, status, (SELECT state FROM exports_states s WHERE s.row = e.row) AS state
    FROM exports e WHERE id = ?";
const INSERT: &str =
    "INSERT INTO exports (id, tenant, principal, created_at, status, expires_at, revision, code)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
const INSERT_STATE: &str = "INSERT INTO exports_states VALUES (?, ?)";
const UPDATE: &str =
    "UPDATE exports SET status = ?2, expires_at = ?3, revision = ?4, code = ?5 WHERE row = ?1";
const UPDATE_STATE: &str = "UPDATE exports_states SET state = ?2 WHERE row = ?1";

/// An export in memory.
struct Entry {
    state: ExportState,
    revision: u64,
    /// Its row, if it has one.
    stored: Option<Stored>,
}

/// What stands in the tables.
#[derive(Clone, Copy)]
struct Stored {
    row: i64,
    status: i64,
}

impl Fold {
    pub(super) fn new() -> Self {
        Self {
            cached: Cache::new(CACHED),
            unwritten: HashMap::default(),
            state: Vec::new(),
            counts: Counts::new(),
            newest: Newest::new(),
        }
    }

    /// The export as it is in memory, else as its row has it.
    fn take(&mut self, tables: &Connection, id: ExportId) -> Result<Entry, ApplyError> {
        if let Some(entry) = self.cached.take(&id) {
            return Ok(entry);
        }
        let mut select = tables.prepare_cached(SELECT)?;
        let row = select
            .query_row([id.as_uuid().as_bytes()], |row| {
                let stored = Stored {
                    row: row.get(0)?,
                    status: row.get(2)?,
                };
                Ok((stored, row.get(1)?, row.get::<_, Vec<u8>>(3)?))
            })
            .optional()?;
        let Some((stored, revision, state)) = row else {
            return Ok(Entry::missing());
        };
        let state = read_state(&state)
            .map_err(|error| ApplyError::BadRow(format!("export {id}: {error}")))?;
        Ok(Entry {
            state: ExportState::Present(Box::new(state)),
            revision: from_sql(revision),
            stored: Some(stored),
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
        let unwritable =
            |error: rmp_serde::encode::Error| ApplyError::BadRow(format!("export {id}: {error}"));
        write_state(&mut self.state, export).map_err(unwritable)?;
        let state = &self.state;
        let status = code(export.status());
        let expires_at = open_until(export).map(Timestamp::as_millis);
        let code = failure(export);
        let revision = to_sql(entry.revision);
        let tenant = names.id(tables, export.request.tenant.as_str())?;
        let principal = names.id(tables, export.request.principal.as_str())?;
        let row = match entry.stored {
            Some(Stored { row, .. }) => {
                let mut update = tables.prepare_cached(UPDATE)?;
                update.execute(params![row, status, expires_at, revision, code])?;
                let mut update = tables.prepare_cached(UPDATE_STATE)?;
                update.execute(params![row, state])?;
                row
            }
            None => {
                let row = tables.prepare_cached(INSERT)?.insert(params![
                    id.as_uuid().as_bytes(),
                    tenant,
                    principal,
                    export.created_at.as_millis(),
                    status,
                    expires_at,
                    revision,
                    code,
                ])?;
                let mut insert = tables.prepare_cached(INSERT_STATE)?;
                insert.execute(params![row, state])?;
                row
            }
        };
        let before = entry.stored.map(|stored| stored.status);
        self.counts.moved(tenant, principal, before, status);
        entry.stored = Some(Stored { row, status });
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
        self.unwritten = HashMap::default();
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
