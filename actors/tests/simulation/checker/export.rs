//! The books of an export.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use carnet_actors::ports::Job;
use carnet_events::codec::decode;
use carnet_events::domain::export::{Completed, DeletionCause, ExportEvent, Outcome, Started};
use carnet_events::domain::request::Request;
use carnet_events::envelope::Recorded;
use carnet_events::ids::Timestamp;

use super::tenant::TenantBook;
use super::{Checker, Circumstances};
use crate::bucket::Object;
use crate::server::Process;
use crate::world::MAX_ATTEMPTS;

pub struct ExportBook {
    pub request: Request,
    claims: BTreeMap<u32, Started>,
    running: Option<u32>,
    runs: BTreeSet<u32>,
    failures: u32,
    not_before: Option<Timestamp>,
    pub outcome: Option<Outcome>,
    completed: Option<Completed>,
    pub expired: bool,
    pub held: bool,
    deleting: bool,
    pub deleted: bool,
    /// True time of the newest event.
    touched: Duration,
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl Checker {
    pub(super) fn export_event(
        &mut self,
        how: Circumstances,
        event: &Recorded,
    ) -> Result<(), String> {
        let id = event.stream.export_id().unwrap();
        let (_, decoded) = decode::<ExportEvent>(event).unwrap();
        if let ExportEvent::Requested(request) = decoded.what {
            require(event.revision == 0, || "a second time".to_owned())?;
            let tenant = self.tenants.get(&request.tenant);
            let admitted = tenant.and_then(|book| book.admitted(id));
            require(admitted == Some(&request), || {
                "not as it was admitted".to_owned()
            })?;
            self.exports.insert(id, ExportBook::new(request, how.now));
            return Ok(());
        }
        let objects = self.objects.lock().unwrap();
        let stored = |key: &str| objects.get(key).copied();
        let book = self.exports.get_mut(&id);
        let book = book.ok_or_else(|| "before it was requested".to_owned())?;
        let silent_since = std::mem::replace(&mut book.touched, how.now);
        let tenant = self.tenants.get(&book.request.tenant);
        let how = Circumstances {
            purging: tenant.is_some_and(TenantBook::is_purging),
            ..how
        };
        book.apply(how, silent_since, &decoded.what, &self.gone, stored)
    }
}

impl ExportBook {
    fn new(request: Request, now: Duration) -> Self {
        Self {
            request,
            claims: BTreeMap::new(),
            running: None,
            runs: BTreeSet::new(),
            failures: 0,
            not_before: None,
            outcome: None,
            completed: None,
            expired: false,
            held: false,
            deleting: false,
            deleted: false,
            touched: now,
        }
    }

    pub fn published_key(&self) -> Option<&str> {
        self.completed
            .as_ref()
            .map(|completed| completed.artifact.key.as_str())
    }

    /// Whether nothing of it is left but its events.
    pub fn is_gone(&self) -> bool {
        self.outcome.is_some() && (self.completed.is_none() || self.deleted)
    }

    pub fn may_lose_its_file(&self) -> bool {
        self.deleting
    }

    /// A run that begins: of an attempt that this very process claimed, and never ran before.
    pub fn run(&mut self, by: Process, job: &Job) -> Result<(), String> {
        let claim = self.claims.get(&job.attempt);
        let claim = claim.ok_or_else(|| "nobody claimed it".to_owned())?;
        require(is_of(claim, by), || {
            format!("node {} runs what another claimed", by.number)
        })?;
        require(self.runs.insert(job.attempt), || "it ran before".to_owned())?;
        require(job.request == self.request, || "another request".to_owned())
    }

    fn apply(
        &mut self,
        how: Circumstances,
        silent_since: Duration,
        event: &ExportEvent,
        gone: &[carnet_events::ids::Incarnation],
        stored: impl Fn(&str) -> Option<Object>,
    ) -> Result<(), String> {
        match event {
            ExportEvent::Requested(_) => Ok(()),
            ExportEvent::Started(started) => self.started(how, started),
            ExportEvent::Progressed(progressed) => self.reported(how, progressed.attempt),
            ExportEvent::AttemptFailed(failed) => {
                self.reported(how, failed.attempt)?;
                self.running = None;
                self.failures += 1;
                self.not_before = Some(failed.retry_at);
                require(self.failures < MAX_ATTEMPTS, || "once too often".to_owned())
            }
            ExportEvent::AttemptLost(lost) => {
                let silent = how.now.saturating_sub(silent_since);
                self.lost(how, lost.attempt, silent, gone)?;
                self.not_before = lost.retry_at;
                Ok(())
            }
            ExportEvent::HandedBack(back) => {
                self.reported(how, back.attempt)?;
                self.wait()
            }
            ExportEvent::Requeued(requeued) => {
                require(requeued.attempt as usize == self.claims.len(), || {
                    "of another attempt".to_owned()
                })?;
                self.wait()
            }
            ExportEvent::Completed(completed) => self.completed(how, completed, stored),
            ExportEvent::Failed(failed) => {
                let purged = failed.code == "tenant_purged";
                require(!purged || how.purging, || "of no purge".to_owned())?;
                let by_service = failed.principal.is_none() && !how.after_loss && !purged;
                if let (true, Some(attempt)) = (by_service, failed.attempt) {
                    self.reported(how, attempt)?;
                }
                self.settle(Outcome::Failed)
            }
            ExportEvent::Cancelled(_) => self.settle(Outcome::Cancelled),
            ExportEvent::Expired(_) => {
                self.over(how)?;
                require(!std::mem::replace(&mut self.expired, true), || {
                    "a second time".to_owned()
                })
            }
            ExportEvent::Held(_) => {
                require(!self.deleting, || "its file is going".to_owned())?;
                self.held = true;
                Ok(())
            }
            ExportEvent::HoldReleased(_) => {
                self.held = false;
                Ok(())
            }
            ExportEvent::DeletionStarted(started) => {
                match started.cause {
                    DeletionCause::Purged => require(how.purging, || "of no purge".to_owned())?,
                    DeletionCause::Expired | DeletionCause::Operator => self.over(how)?,
                }
                require(!self.held, || "it is held".to_owned())?;
                require(!std::mem::replace(&mut self.deleting, true), || {
                    "a second time".to_owned()
                })
            }
            ExportEvent::ArtifactDeleted(deleted) => {
                require(self.deleting, || "it was not begun".to_owned())?;
                require(stored(&deleted.key).is_none(), || {
                    "the file is there".to_owned()
                })?;
                require(!std::mem::replace(&mut self.deleted, true), || {
                    "a second time".to_owned()
                })
            }
            ExportEvent::ArtifactDamaged(_)
            | ExportEvent::ArtifactRestored(_)
            | ExportEvent::LinksRevoked(_) => Ok(()),
        }
    }

    fn wait(&mut self) -> Result<(), String> {
        self.open()?;
        self.running = None;
        self.not_before = None;
        Ok(())
    }

    fn open(&self) -> Result<(), String> {
        require(self.outcome.is_none(), || {
            format!("it is settled already: {:?}", self.outcome)
        })
    }

    /// A report must come from the process whose attempt is the running one.
    fn reported(&self, how: Circumstances, attempt: u32) -> Result<(), String> {
        self.open()?;
        require(self.running == Some(attempt), || {
            format!("of attempt {attempt}, {:?} runs", self.running)
        })?;
        require(is_of(&self.claims[&attempt], how.by), || {
            format!("node {} reports for another", how.by.number)
        })
    }

    fn started(&mut self, how: Circumstances, started: &Started) -> Result<(), String> {
        self.open()?;
        require(self.running.is_none(), || {
            format!("attempt {:?} runs", self.running)
        })?;
        require(started.attempt as usize == self.claims.len() + 1, || {
            format!("attempt {} after {}", started.attempt, self.claims.len())
        })?;
        require(is_of(started, how.by), || "in another's name".to_owned())?;
        let due = self.not_before.take();
        require(due.is_none_or(|due| how.at >= due), || {
            "before its time".to_owned()
        })?;
        self.running = Some(started.attempt);
        self.claims.insert(started.attempt, started.clone());
        Ok(())
    }

    /// An attempt is lost when its process is gone, or was silent for long enough.
    fn lost(
        &mut self,
        how: Circumstances,
        attempt: u32,
        silent: Duration,
        gone: &[carnet_events::ids::Incarnation],
    ) -> Result<(), String> {
        self.open()?;
        require(self.running.take() == Some(attempt), || {
            "it does not run".to_owned()
        })?;
        let claim = &self.claims[&attempt];
        if claim.node == how.by.node {
            return require(
                claim.incarnation != how.by.incarnation && gone.contains(&claim.incarnation),
                || "its process lives".to_owned(),
            );
        }
        let due = Duration::from_millis(claim.lease_ms * 3 / 2);
        require(silent >= due, || {
            format!("it was silent for {silent:?} of {due:?} only")
        })
    }

    fn completed(
        &mut self,
        how: Circumstances,
        completed: &Completed,
        stored: impl Fn(&str) -> Option<Object>,
    ) -> Result<(), String> {
        self.reported(how, completed.attempt)?;
        self.settle(Outcome::Completed)?;
        let artifact = &completed.artifact;
        let object = stored(&artifact.key);
        self.completed = Some(completed.clone());
        require(
            object.is_some_and(|object| object.sha256 == artifact.sha256),
            || format!("{} is not in the bucket as it says", artifact.key),
        )
    }

    fn settle(&mut self, outcome: Outcome) -> Result<(), String> {
        self.open()?;
        self.running = None;
        self.outcome = Some(outcome);
        Ok(())
    }

    /// Its download window is over.
    fn over(&self, how: Circumstances) -> Result<(), String> {
        let completed = self.completed.as_ref();
        let end = completed.and_then(|completed| completed.expires_at);
        require(end.is_some_and(|end| how.at >= end), || {
            format!("its window ends at {end:?}")
        })
    }
}

fn is_of(claim: &Started, by: Process) -> bool {
    claim.node == by.node && claim.incarnation == by.incarnation
}
