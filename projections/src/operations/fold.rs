//! Counting events into the tables.

use std::collections::hash_map::Entry;

use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{ExportEvent, Started, Status};
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::ids::{ExportId, NodeId, Timestamp};
use foldhash::{HashMap, HashSet};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::buckets::{Buckets, Metric};
use super::depth::{Gauges, Level};
use super::nodes::Nodes;
use super::{intake, tenants};
use crate::Options;
use crate::database::names::Names;
use crate::fact::{Event, Fact};
use crate::projection::{ApplyError, Projection};

/// Changes kept in memory without being written, while history is read.
const UNWRITTEN: usize = 65_536;

pub(super) struct Fold {
    /// All exports that are not settled, once they are read; some 100 bytes each.
    open: Option<HashMap<ExportId, Open>>,
    changed: HashSet<ExportId>,
    statuses: HashMap<Status, i64>,
    buckets: Buckets,
    gauges: Gauges,
    nodes: Nodes,
}

#[derive(Clone, Copy)]
struct Open {
    running: bool,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    /// The node that runs it.
    node: Option<NodeId>,
    /// Whether it has a row.
    stored: bool,
}

const READ_OPEN: &str = "SELECT export, running, created_at, started_at, node FROM operations_open";
const WRITE_OPEN: &str = "INSERT OR REPLACE INTO operations_open VALUES (?, ?, ?, ?, ?)";
const DELETE_OPEN: &str = "DELETE FROM operations_open WHERE export = ?";
const COUNT: &str = "INSERT INTO operations_statuses VALUES (?, ?)
    ON CONFLICT DO UPDATE SET count = count + excluded.count";

impl Fold {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            open: None,
            changed: HashSet::default(),
            statuses: HashMap::default(),
            buckets: Buckets::new(options),
            gauges: Gauges::new(options),
            nodes: Nodes::new(),
        }
    }

    /// What the tables hold and memory doesn't.
    fn read(&mut self, tables: &Connection) -> Result<HashMap<ExportId, Open>, ApplyError> {
        let open = self.read_open(tables)?;
        let running = open.values().filter(|export| export.running).count() as i64;
        self.gauges.level = Level {
            queued: open.len() as i64 - running,
            running,
        };
        self.nodes.read(tables)?;
        Ok(open)
    }

    fn read_open(&self, tables: &Connection) -> rusqlite::Result<HashMap<ExportId, Open>> {
        let mut select = tables.prepare_cached(READ_OPEN)?;
        let rows = select.query_map([], |row| {
            let started_at: Option<i64> = row.get(3)?;
            let node: Option<[u8; 16]> = row.get(4)?;
            let open = Open {
                running: row.get(1)?,
                created_at: Timestamp::from_millis(row.get(2)?),
                started_at: started_at.map(Timestamp::from_millis),
                node: node.map(|id| NodeId::from_uuid(Uuid::from_bytes(id))),
                stored: true,
            };
            Ok((ExportId::from_uuid(Uuid::from_bytes(row.get(0)?)), open))
        })?;
        rows.collect()
    }

    fn write(
        &mut self,
        tables: &Connection,
        open: &mut HashMap<ExportId, Open>,
    ) -> rusqlite::Result<()> {
        let mut write = tables.prepare_cached(WRITE_OPEN)?;
        let mut delete = tables.prepare_cached(DELETE_OPEN)?;
        for id in self.changed.drain() {
            let key = id.as_uuid();
            match open.get_mut(&id) {
                Some(open) => {
                    write.execute(params![
                        key.as_bytes(),
                        open.running,
                        open.created_at.as_millis(),
                        open.started_at.map(Timestamp::as_millis),
                        open.node.map(|node| node.as_uuid().into_bytes()),
                    ])?;
                    open.stored = true;
                }
                None => {
                    delete.execute([key.as_bytes()])?;
                }
            }
        }
        let mut count = tables.prepare_cached(COUNT)?;
        for (status, change) in self.statuses.drain() {
            count.execute(params![status.as_str(), change])?;
        }
        self.nodes.write(tables)?;
        self.gauges.write(tables)?;
        self.buckets.write(tables)
    }

    fn moved(&mut self, at: Timestamp, from: Option<Status>, to: Option<Status>) {
        if let Some(from) = from {
            *self.statuses.entry(from).or_default() -= 1;
        }
        if let Some(to) = to {
            *self.statuses.entry(to).or_default() += 1;
        }
        let change = |status| i64::from(to == Some(status)) - i64::from(from == Some(status));
        let (queued, running) = (change(Status::Queued), change(Status::Running));
        if (queued, running) != (0, 0) {
            self.gauges.change(at, queued, running);
        }
    }

    fn export(
        &mut self,
        open: &mut HashMap<ExportId, Open>,
        id: ExportId,
        at: Timestamp,
        event: &ExportEvent,
    ) {
        match event {
            ExportEvent::Requested(_) => {
                if let Entry::Vacant(vacant) = open.entry(id) {
                    vacant.insert(Open {
                        running: false,
                        created_at: at,
                        started_at: None,
                        node: None,
                        stored: false,
                    });
                    self.changed.insert(id);
                    self.moved(at, None, Some(Status::Queued));
                }
            }
            ExportEvent::Started(started) => self.start(open, id, at, started),
            ExportEvent::AttemptFailed(failed) => {
                self.buckets.add(at, Metric::AttemptFailed, &failed.code, 1);
                self.requeue(open, id, at);
            }
            ExportEvent::AttemptLost(_) => {
                self.buckets.add(at, Metric::AttemptLost, "", 1);
                self.requeue(open, id, at);
            }
            ExportEvent::HandedBack(_) => {
                self.alive(open, id, at);
                self.requeue(open, id, at);
            }
            ExportEvent::Progressed(_) => self.alive(open, id, at),
            // An operator ended it: no sign of life of whoever ran it.
            ExportEvent::Requeued(_) => self.requeue(open, id, at),
            ExportEvent::Completed(completed) => {
                self.alive(open, id, at);
                let rows = completed.categories.values();
                let rows = rows.fold(0_u64, |sum, category| sum.saturating_add(category.rows));
                let bytes = completed.artifact.json_bytes;
                self.buckets.add(at, Metric::Completed, "", 1);
                self.buckets.add(at, Metric::Rows, "", rows);
                self.buckets.add(at, Metric::JsonBytes, "", bytes);
                if let Some(export) = self.settle(open, id, at, Status::Completed) {
                    self.buckets.took(Metric::Total, export.created_at, at);
                    if let Some(started_at) = export.started_at {
                        self.buckets.took(Metric::Ran, started_at, at);
                    }
                }
            }
            ExportEvent::Failed(failed) => {
                self.buckets.add(at, Metric::Failed, &failed.code, 1);
                self.settle(open, id, at, Status::Failed);
            }
            ExportEvent::Cancelled(_) => {
                self.buckets.add(at, Metric::Cancelled, "", 1);
                self.settle(open, id, at, Status::Cancelled);
            }
            ExportEvent::Expired(_) => {
                self.moved(at, Some(Status::Completed), Some(Status::Expired));
            }
            ExportEvent::Held(_)
            | ExportEvent::HoldReleased(_)
            | ExportEvent::DeletionStarted(_)
            | ExportEvent::ArtifactDeleted(_)
            | ExportEvent::ArtifactDamaged(_)
            | ExportEvent::ArtifactRestored(_)
            | ExportEvent::LinksRevoked(_) => {}
        }
    }

    fn start(
        &mut self,
        open: &mut HashMap<ExportId, Open>,
        id: ExportId,
        at: Timestamp,
        started: &Started,
    ) {
        self.nodes.claimed(at, started.node, started.incarnation);
        let Some(export) = open.get_mut(&id) else {
            return;
        };
        if export.started_at.is_none() {
            export.started_at = Some(at);
            self.buckets.took(Metric::Waited, export.created_at, at);
        }
        export.node = Some(started.node);
        if !std::mem::replace(&mut export.running, true) {
            self.moved(at, Some(Status::Queued), Some(Status::Running));
        }
        self.changed.insert(id);
    }

    /// The node that runs it wrote something.
    fn alive(&mut self, open: &HashMap<ExportId, Open>, id: ExportId, at: Timestamp) {
        if let Some(node) = open.get(&id).and_then(|export| export.node) {
            self.nodes.alive(at, node);
        }
    }

    fn requeue(&mut self, open: &mut HashMap<ExportId, Open>, id: ExportId, at: Timestamp) {
        if let Some(export) = open.get_mut(&id)
            && std::mem::replace(&mut export.running, false)
        {
            export.node = None;
            self.changed.insert(id);
            self.moved(at, Some(Status::Running), Some(Status::Queued));
        }
    }

    /// Takes an export out of those that are not settled, if it is one.
    fn settle(
        &mut self,
        open: &mut HashMap<ExportId, Open>,
        id: ExportId,
        at: Timestamp,
        to: Status,
    ) -> Option<Open> {
        let export = open.remove(&id)?;
        let from = match export.running {
            true => Status::Running,
            false => Status::Queued,
        };
        // One that came and went between two writes leaves no row to take away.
        match export.stored {
            true => self.changed.insert(id),
            false => self.changed.remove(&id),
        };
        self.moved(at, Some(from), Some(to));
        Some(export)
    }

    fn platform(
        &mut self,
        tables: &Connection,
        at: Timestamp,
        event: &PlatformEvent,
    ) -> rusqlite::Result<()> {
        match event {
            PlatformEvent::LogCreated(_)
            | PlatformEvent::KeysApplied(_)
            | PlatformEvent::StoragesUsed(_)
            | PlatformEvent::RebuildRequested(_)
            | PlatformEvent::CopyAbandoned(_) => {}
            PlatformEvent::ConfigurationApplied(applied) => self.nodes.applied(at, applied),
            PlatformEvent::IntakePaused(by) => {
                intake::set(tables, true, &by.principal, at)?;
            }
            PlatformEvent::IntakeResumed(by) => {
                intake::set(tables, false, &by.principal, at)?;
            }
            PlatformEvent::DrainStarted(drain) => self.nodes.drain(at, drain, true),
            PlatformEvent::DrainEnded(drain) => self.nodes.drain(at, drain, false),
        }
        Ok(())
    }

    fn access(&mut self, at: Timestamp, event: &AccessEvent) {
        match event {
            AccessEvent::ExportRefused(refused) => {
                self.buckets.add(at, Metric::Refused, &refused.code, 1);
            }
            AccessEvent::Downloaded(_) => self.buckets.add(at, Metric::Downloaded, "", 1),
            AccessEvent::DownloadBlocked(blocked) => {
                self.buckets.add(at, Metric::Blocked, &blocked.code, 1);
            }
            AccessEvent::Repeated(repeated) => {
                let metric = match repeated.of.as_str() {
                    "export_refused" => Metric::Refused,
                    "downloaded" => Metric::Downloaded,
                    "download_blocked" => Metric::Blocked,
                    _ => return,
                };
                let code = repeated.code.as_deref().unwrap_or_default();
                self.buckets.add(at, metric, code, repeated.count);
            }
            AccessEvent::AccessDenied(_)
            | AccessEvent::LinkIssued(_)
            | AccessEvent::LinkRevoked(_)
            | AccessEvent::DownloadEnded(_)
            | AccessEvent::AuditRead(_) => {}
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
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.read(tables)?,
        };
        for fact in facts {
            let Ok(known) = &fact.what else { continue };
            match &known.event {
                Event::Export(id, event) => self.export(&mut open, *id, known.at, &event.what),
                Event::Admitted(admitted) => {
                    self.buckets.add(known.at, Metric::Admitted, "", 1);
                    if let Some(tenant) = &known.tenant {
                        tenants::spend(tables, names, tenant, &admitted.exemptions)?;
                    }
                }
                Event::Tenant(event) => {
                    if let Some(tenant) = &known.tenant {
                        tenants::apply(tables, names, tenant, known.at, event)?;
                    }
                }
                Event::Access(event) => self.access(known.at, event),
                Event::Session(_) => {}
                Event::Platform(event) => self.platform(tables, known.at, event)?,
            }
        }
        self.open = Some(open);
        self.buckets.age();
        self.gauges.age();
        let gathered = self.changed.len().max(self.buckets.len());
        if gathered.max(self.gauges.len()) > UNWRITTEN {
            self.flush(tables, names)?;
        }
        Ok(())
    }

    fn flush(&mut self, tables: &Connection, _names: &mut Names) -> Result<(), ApplyError> {
        if let Some(mut open) = self.open.take() {
            self.write(tables, &mut open)?;
            self.open = Some(open);
        }
        Ok(())
    }

    fn forget(&mut self) {
        self.open = None;
        self.changed.clear();
        self.statuses.clear();
        self.buckets.forget();
        self.gauges.forget();
        self.nodes.forget();
    }
}
