//! The nodes that were seen.

use carnet_events::domain::platform::{ConfigurationApplied, Drain};
use carnet_events::ids::{Incarnation, NodeId, PrincipalId, Timestamp};
use foldhash::{HashMap, HashSet};
use rusqlite::{Connection, Row, params};
use serde::Serialize;
use uuid::Uuid;

use super::bad;
use crate::Error;
use crate::database::from_sql;
use crate::projection::ApplyError;

/// A node, as the log speaks of it. An idle node writes nothing, so an old sign of life alone doesn't mean that it is
/// gone; one with running exports writes at least every third of a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NodeRow {
    /// Which; it belongs to the data directory.
    pub node: NodeId,
    /// Its newest process; `None`: it was drained but never seen.
    pub incarnation: Option<Incarnation>,
    /// The program's version of the process that last said so.
    pub version: Option<String>,
    /// When that process began to serve.
    pub started_at: Option<Timestamp>,
    /// The newest event that it wrote: its start, or that of an attempt, or an attempt's progress, completion or return.
    pub alive_at: Option<Timestamp>,
    /// Running exports that it claimed.
    pub running: u64,
    /// Who asked it to finish its work and take no more; `None`: nobody, or it may work again.
    pub drained_by: Option<PrincipalId>,
    /// Since when.
    pub drained_since: Option<Timestamp>,
}

impl NodeRow {
    /// Whether it finishes its work and takes no more.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.drained_since.is_some()
    }
}

/// What is kept of a node.
#[derive(Debug, Clone, Default)]
struct Seen {
    incarnation: Option<Incarnation>,
    version: Option<String>,
    started_at: Option<Timestamp>,
    alive_at: Option<Timestamp>,
    drained_by: Option<PrincipalId>,
    drained_since: Option<Timestamp>,
}

const SELECT: &str = "SELECT node, incarnation, version, started_at, alive_at, drained_by, drained_since FROM operations_nodes";
const WRITE: &str = "INSERT OR REPLACE INTO operations_nodes VALUES (?, ?, ?, ?, ?, ?, ?)";

/// All nodes there ever were, once they are read; there are few.
pub(super) struct Nodes {
    known: HashMap<NodeId, Seen>,
    changed: HashSet<NodeId>,
}

impl Nodes {
    pub(super) fn new() -> Self {
        Self {
            known: HashMap::default(),
            changed: HashSet::default(),
        }
    }

    pub(super) fn read(&mut self, tables: &Connection) -> Result<(), ApplyError> {
        self.forget();
        let mut select = tables.prepare_cached(SELECT)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let (node, seen) = seen(row).map_err(|error| match error {
                Error::Unavailable { source } => ApplyError::Sql(source),
                error => ApplyError::BadRow(error.to_string()),
            })?;
            self.known.insert(node, seen);
        }
        Ok(())
    }

    pub(super) fn forget(&mut self) {
        self.known.clear();
        self.changed.clear();
    }

    fn touch(&mut self, node: NodeId) -> &mut Seen {
        self.changed.insert(node);
        self.known.entry(node).or_default()
    }

    /// A process began to serve.
    pub(super) fn applied(&mut self, at: Timestamp, applied: &ConfigurationApplied) {
        let seen = self.touch(applied.node);
        seen.incarnation = Some(applied.incarnation);
        seen.version = Some(applied.version.clone());
        seen.started_at = Some(at);
        seen.alive_at = seen.alive_at.max(Some(at));
    }

    /// A process claimed an export.
    pub(super) fn claimed(&mut self, at: Timestamp, node: NodeId, incarnation: Incarnation) {
        let seen = self.touch(node);
        seen.incarnation = Some(incarnation);
        seen.alive_at = seen.alive_at.max(Some(at));
    }

    /// It wrote something.
    pub(super) fn alive(&mut self, at: Timestamp, node: NodeId) {
        let seen = self.touch(node);
        seen.alive_at = seen.alive_at.max(Some(at));
    }

    /// It is to finish its work, or may work again.
    pub(super) fn drain(&mut self, at: Timestamp, drain: &Drain, on: bool) {
        let seen = self.touch(drain.node);
        seen.drained_by = on.then(|| drain.principal.clone());
        seen.drained_since = on.then_some(at);
    }

    pub(super) fn write(&mut self, tables: &Connection) -> rusqlite::Result<()> {
        let mut write = tables.prepare_cached(WRITE)?;
        for node in self.changed.drain() {
            let Some(seen) = self.known.get(&node) else {
                continue;
            };
            write.execute(params![
                node.as_uuid().as_bytes(),
                seen.incarnation.map(|id| id.as_uuid().into_bytes()),
                seen.version,
                seen.started_at.map(Timestamp::as_millis),
                seen.alive_at.map(Timestamp::as_millis),
                seen.drained_by.as_ref().map(PrincipalId::as_str),
                seen.drained_since.map(Timestamp::as_millis),
            ])?;
        }
        Ok(())
    }
}

/// Running exports by node come from the worklist, by its index of those.
pub(super) const RUNNING: &str =
    "SELECT node, count(*) FROM worklist WHERE stage < 3 AND stage = 2 GROUP BY node";

pub(super) const LIST: &str =
    "SELECT node, incarnation, version, started_at, alive_at, drained_by, drained_since
    FROM operations_nodes ORDER BY alive_at DESC, node LIMIT ?";

pub(super) fn list(tables: &Connection, limit: u32) -> Result<Vec<NodeRow>, Error> {
    let mut running: HashMap<NodeId, u64> = HashMap::default();
    let mut count = tables.prepare_cached(RUNNING)?;
    let mut rows = count.query([])?;
    while let Some(row) = rows.next()? {
        let node = NodeId::from_uuid(Uuid::from_bytes(row.get(0)?));
        running.insert(node, from_sql(row.get(1)?));
    }
    let mut select = tables.prepare_cached(LIST)?;
    let mut rows = select.query([limit])?;
    let mut nodes = Vec::new();
    while let Some(row) = rows.next()? {
        let (node, seen) = seen(row)?;
        nodes.push(NodeRow {
            node,
            incarnation: seen.incarnation,
            version: seen.version,
            started_at: seen.started_at,
            alive_at: seen.alive_at,
            running: running.get(&node).copied().unwrap_or(0),
            drained_by: seen.drained_by,
            drained_since: seen.drained_since,
        });
    }
    Ok(nodes)
}

fn seen(row: &Row<'_>) -> Result<(NodeId, Seen), Error> {
    let time = |column| -> rusqlite::Result<Option<Timestamp>> {
        let millis: Option<i64> = row.get(column)?;
        Ok(millis.map(Timestamp::from_millis))
    };
    let incarnation: Option<[u8; 16]> = row.get(1)?;
    let drained_by: Option<String> = row.get(5)?;
    let drained_by = drained_by.map(PrincipalId::new).transpose();
    let seen = Seen {
        incarnation: incarnation.map(|id| Incarnation::from_uuid(Uuid::from_bytes(id))),
        version: row.get(2)?,
        started_at: time(3)?,
        alive_at: time(4)?,
        drained_by: drained_by.map_err(|error| bad(&error))?,
        drained_since: time(6)?,
    };
    Ok((NodeId::from_uuid(Uuid::from_bytes(row.get(0)?)), seen))
}
