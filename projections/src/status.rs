//! How far each projection is.

use std::path::Path;

use carnet_events::envelope::Position;
use carnet_events::ids::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde::Serialize;
use uuid::Uuid;

use crate::database::{Found, found, meta};
use crate::{Error, ProjectionName};

/// How all projections stand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Status {
    /// The id of the log they are folded from, if the log has one.
    pub log: Option<Uuid>,
    /// The last position of the event store; `None` when it is empty or could not be asked.
    pub last_position: Option<Position>,
    /// What keeps all of them from going on, if anything does.
    pub trouble: Option<String>,
    /// Each of them.
    pub projections: Vec<ProjectionStatus>,
}

/// How one projection stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProjectionStatus {
    /// Which.
    pub name: ProjectionName,
    /// The version of its tables.
    pub version: u32,
    /// Counts its rebuilds.
    pub generation: u32,
    /// Whether it goes on.
    pub state: RunState,
    /// Everything up to here is in it.
    pub position: Option<Position>,
    /// When the newest event in it was recorded.
    pub newest_event_at: Option<Timestamp>,
    /// Events it was folded from.
    pub events: u64,
    /// At most so many events are still to come; `None` when the store's positions don't tell.
    pub lag_events: Option<u64>,
    /// Age of the newest event in it when there are later ones, in milliseconds; 0 when there are none.
    pub lag_ms: u64,
    /// How far a rebuild is, while one is under way.
    pub rebuilding: Option<Rebuilding>,
    /// Why the last rebuild of it came to nothing, until one succeeds.
    pub rebuild_failed: Option<String>,
}

/// How far a rebuild is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Rebuilding {
    /// Everything up to here is in the new tables.
    pub position: Option<Position>,
    /// Events they were filled from.
    pub events: u64,
}

/// Whether a projection goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum RunState {
    /// It reads history.
    CatchingUp,
    /// It has reached the present once and follows it.
    Live,
    /// An event can't be applied to it. A release that can will go on; a rebuild tries again.
    Stopped {
        /// Why.
        reason: String,
    },
}

/// How far one projection is, as the runner tells it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Progress {
    pub(crate) name: ProjectionName,
    pub(crate) version: u32,
    pub(crate) generation: u32,
    pub(crate) state: RunState,
    pub(crate) position: Option<Position>,
    pub(crate) newest_event_at: Option<Timestamp>,
    pub(crate) events: u64,
    pub(crate) rebuilding: Option<Rebuilding>,
    pub(crate) rebuild_failed: Option<String>,
}

/// What the runner tells everybody after each batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Report {
    pub(crate) log: Option<Uuid>,
    pub(crate) trouble: Option<String>,
    pub(crate) projections: Vec<Progress>,
}

impl Report {
    pub(crate) fn status(self, last: Option<Position>, now: Timestamp) -> Status {
        Status {
            log: self.log,
            last_position: last,
            trouble: self.trouble,
            projections: self
                .projections
                .into_iter()
                .map(|progress| progress.status(last, now))
                .collect(),
        }
    }
}

impl Progress {
    fn status(self, last: Option<Position>, now: Timestamp) -> ProjectionStatus {
        let behind = last > self.position;
        let age = |at: Timestamp| u64::try_from(now.since(at).as_millis()).unwrap_or(u64::MAX);
        ProjectionStatus {
            lag_events: lag(self.position, last),
            lag_ms: if behind {
                self.newest_event_at.map_or(0, age)
            } else {
                0
            },
            name: self.name,
            version: self.version,
            generation: self.generation,
            state: self.state,
            position: self.position,
            newest_event_at: self.newest_event_at,
            events: self.events,
            rebuilding: self.rebuilding,
            rebuild_failed: self.rebuild_failed,
        }
    }
}

/// Positions are not for computing with, but where a store counts with one number their distance is the most that
/// can lie between them, and that is worth showing.
fn lag(position: Option<Position>, last: Option<Position>) -> Option<u64> {
    let Some(last) = last.filter(|last| Some(*last) > position) else {
        return Some(0);
    };
    let position = position.unwrap_or(Position::single(0));
    let counts_with_one = |position: Position| position.commit == position.prepare;
    (counts_with_one(position) && counts_with_one(last)).then(|| last.commit - position.commit)
}

/// A projection has not come to a position in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the projection `{projection}` has not come to {wanted} yet (stopped: {stopped})")]
pub struct Behind {
    /// Which.
    pub projection: ProjectionName,
    /// Where it was waited for.
    pub wanted: Position,
    /// Whether it has stopped, so that waiting longer would not help.
    pub stopped: bool,
}

/// What a projection's file says about it, whether or not a service keeps it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StoredStatus {
    /// Its name.
    pub name: String,
    /// The version of its tables.
    pub version: u32,
    /// Counts its rebuilds.
    pub generation: u32,
    /// Everything up to here is in it.
    pub position: Option<Position>,
    /// When the newest event in it was recorded.
    pub newest_event_at: Option<Timestamp>,
    /// Events it was folded from.
    pub events: u64,
    /// Why it has stopped, if it has.
    pub stopped: Option<String>,
    /// Why the last rebuild of it came to nothing, until one succeeds.
    pub rebuild_failed: Option<String>,
}

/// Reads how far the projections are whose files belong to `path`, without a runner; empty when there are none.
///
/// # Errors
/// When a file is not one of projections, or can't be read.
pub fn stored_status(path: &Path) -> Result<Vec<StoredStatus>, Error> {
    let mut found = found(path)?;
    found.retain(Found::is_whole);
    found.sort_by_key(|file| (file.name, std::cmp::Reverse(file.generation)));
    found.dedup_by_key(|file| file.name);
    found.iter().map(stored).collect()
}

fn stored(file: &Found) -> Result<StoredStatus, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(&file.path, flags)?;
    let at = meta::get(&connection)?.ok_or_else(|| Error::NotOurs {
        path: file.path.clone(),
    })?;
    Ok(StoredStatus {
        name: file.name.as_str().to_owned(),
        version: at.version,
        generation: file.generation,
        position: at.position,
        newest_event_at: at.newest,
        events: at.events,
        stopped: at.stopped,
        rebuild_failed: meta::rebuild_failed(&connection)?,
    })
}
