//! One export's entry: what its events leave to do.

use carnet_events::domain::export::{ExportEvent, Outcome};
use carnet_events::ids::{Incarnation, NodeId, TenantId, Timestamp};

/// What its events leave to do about an export.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    pub(super) tenant: TenantId,
    /// Whether its tenant admitted it, and so has a slot to free.
    pub(super) admitted: bool,
    pub(super) released: bool,
    /// Since when it is at this stage.
    pub(super) since: Timestamp,
    pub(super) stage: Stage,
    pub(super) attempts: u32,
    /// The newest revision of its stream.
    pub(super) revision: u64,
    pub(super) held: bool,
    pub(super) deleting_since: Option<Timestamp>,
    pub(super) deleted: bool,
}

/// Where an export stands, as far as there is something to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Stage {
    Admitted,
    Queued {
        not_before: Option<Timestamp>,
    },
    Running {
        node: NodeId,
        incarnation: Incarnation,
        lease_ms: u64,
        alive_at: Timestamp,
    },
    Settled {
        outcome: Outcome,
        expires_at: Option<Timestamp>,
        expired: bool,
    },
}

impl Item {
    pub(super) fn new(tenant: TenantId, admitted: bool, since: Timestamp) -> Self {
        Self {
            tenant,
            admitted,
            released: false,
            since,
            stage: Stage::Admitted,
            attempts: 0,
            revision: 0,
            held: false,
            deleting_since: None,
            deleted: false,
        }
    }

    /// Whether nothing is left to do: the slot is free, and there is no file.
    pub(super) fn is_done(&self) -> bool {
        let Stage::Settled { outcome, .. } = &self.stage else {
            return false;
        };
        let has_file = *outcome == Outcome::Completed && !self.deleted;
        let has_slot = self.admitted && !self.released;
        !has_file && !has_slot
    }

    fn is_open(&self) -> bool {
        !matches!(self.stage, Stage::Settled { .. })
    }

    fn to(&mut self, at: Timestamp, stage: Stage) {
        if self.is_open() {
            self.since = at;
            self.stage = stage;
        }
    }

    fn settle(&mut self, at: Timestamp, outcome: Outcome, expires_at: Option<Timestamp>) {
        let settled = Stage::Settled {
            outcome,
            expires_at,
            expired: false,
        };
        self.to(at, settled);
    }

    /// Takes one event of the export's stream in.
    pub(super) fn evolve(&mut self, at: Timestamp, event: &ExportEvent, revision: u64) {
        self.revision = revision;
        match event {
            ExportEvent::Requested(_) => {
                if self.stage == Stage::Admitted {
                    self.to(at, Stage::Queued { not_before: None });
                }
            }
            ExportEvent::Started(started) => {
                self.attempts = started.attempt;
                let running = Stage::Running {
                    node: started.node,
                    incarnation: started.incarnation,
                    lease_ms: started.lease_ms,
                    alive_at: at,
                };
                self.to(at, running);
            }
            ExportEvent::Progressed(progressed) => {
                if let Stage::Running { alive_at, .. } = &mut self.stage
                    && self.attempts == progressed.attempt
                {
                    *alive_at = at;
                }
            }
            ExportEvent::AttemptFailed(failed) => {
                let not_before = Some(failed.retry_at);
                self.to(at, Stage::Queued { not_before });
            }
            ExportEvent::AttemptLost(lost) => {
                let not_before = lost.retry_at;
                self.to(at, Stage::Queued { not_before });
            }
            ExportEvent::HandedBack(_) | ExportEvent::Requeued(_) => {
                self.to(at, Stage::Queued { not_before: None });
            }
            ExportEvent::Completed(completed) => {
                self.settle(at, Outcome::Completed, completed.expires_at);
            }
            ExportEvent::Failed(_) => self.settle(at, Outcome::Failed, None),
            ExportEvent::Cancelled(_) => self.settle(at, Outcome::Cancelled, None),
            ExportEvent::Expired(_) => {
                if let Stage::Settled { expired, .. } = &mut self.stage {
                    *expired = true;
                }
            }
            ExportEvent::Held(_) => self.held = true,
            ExportEvent::HoldReleased(_) => self.held = false,
            ExportEvent::DeletionStarted(_) => self.deleting_since = Some(at),
            ExportEvent::ArtifactDeleted(_) => self.deleted = true,
            ExportEvent::ArtifactDamaged(_)
            | ExportEvent::ArtifactRestored(_)
            | ExportEvent::LinksRevoked(_) => {}
        }
    }
}
