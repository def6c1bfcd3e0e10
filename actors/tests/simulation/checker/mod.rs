//! Looks on, and holds everything that happens to what was promised.
//!
//! It is told of every event the moment the store has it, of every object that comes and goes, of every run that begins
//! and of every answer that people get. It reads events with the codec, but keeps its own books: nothing here asks the
//! domain what to think. Whatever it finds is kept, with the words by which the trace can be searched.

mod export;
mod finally;
mod tenant;

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_actors::ports::Job;
use carnet_events::codec::decode;
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::envelope::{Metadata, Recorded};
use carnet_events::ids::{ExportId, Incarnation, PrincipalId, TenantId, Timestamp};
use carnet_events::stream::StreamKind;

use crate::bucket::Objects;
use crate::server::{Process, brief, short};
use crate::time::Time;
use export::ExportBook;
use tenant::TenantBook;

/// How far a node's clock may be off, and how long a decision takes.
const TOLERATED: Duration = Duration::from_millis(5_001);

/// A broken promise.
#[derive(Debug, Clone)]
pub struct Violation {
    pub what: String,
    /// What to look for in the trace.
    pub words: Vec<String>,
}

pub struct Checker {
    pub violations: Vec<Violation>,
    pub appended: usize,
    pub accepted: BTreeMap<ExportId, TenantId>,
    exports: BTreeMap<ExportId, ExportBook>,
    tenants: BTreeMap<TenantId, TenantBook>,
    /// Of each stream: events, and the time of the newest.
    streams: BTreeMap<String, (u64, Timestamp)>,
    persons: BTreeMap<(TenantId, String), PrincipalId>,
    gone: Vec<Incarnation>,
    logs: usize,
    objects: Objects,
    time: Time,
}

/// What comes with an event.
#[derive(Clone, Copy)]
struct Circumstances {
    by: Process,
    /// The event's own time.
    at: Timestamp,
    /// True time.
    now: Duration,
    /// The event before it in the same append was an `attempt_lost`.
    after_loss: bool,
    /// Its tenant is being purged.
    purging: bool,
}

impl Checker {
    pub fn new(objects: Objects, time: Time) -> Self {
        Self {
            violations: Vec::new(),
            appended: 0,
            accepted: BTreeMap::new(),
            exports: BTreeMap::new(),
            tenants: BTreeMap::new(),
            streams: BTreeMap::new(),
            persons: BTreeMap::new(),
            gone: Vec::new(),
            logs: 0,
            objects,
            time,
        }
    }

    fn violated(&mut self, what: String, words: Vec<String>) {
        self.violations.push(Violation { what, words });
    }

    /// A process that does nothing any more.
    pub fn is_gone(&mut self, incarnation: Incarnation) {
        self.gone.push(incarnation);
    }

    /// An append that was made.
    pub fn appended(&mut self, by: Process, now: Duration, batch: &[Recorded]) {
        let mut after_loss = false;
        for event in batch {
            self.appended += 1;
            if let Err(what) = self.event(by, now, after_loss, event) {
                let what = format!("{} at {}: {what}", event.kind, short(&event.stream));
                self.violated(what, vec![short(&event.stream)]);
            }
            after_loss = event.kind == "attempt_lost";
        }
    }

    fn event(
        &mut self,
        by: Process,
        now: Duration,
        after_loss: bool,
        event: &Recorded,
    ) -> Result<(), String> {
        let metadata = Metadata::from_bytes(&event.metadata).unwrap();
        let at = metadata.recorded_at;
        let name = event.stream.to_string();
        let (count, newest) = self.streams.entry(name).or_default();
        if *count != event.revision {
            return Err(format!("revision {} after {count} events", event.revision));
        }
        *count += 1;
        // Records that decide nothing come from anybody, whose clocks differ.
        let decides = matches!(event.stream.kind(), StreamKind::Export | StreamKind::Tenant);
        if decides && at < *newest {
            return Err(format!("its time {at} is before {newest}"));
        }
        // Nothing is dated later than it was, but by what a clock may be wrong.
        let present = self.time.now().plus(TOLERATED);
        if decides && at > present && at > *newest {
            return Err(format!("its time {at} is later than {present}"));
        }
        *newest = at;
        let circumstances = Circumstances {
            by,
            at,
            now,
            after_loss,
            purging: false,
        };
        match event.stream.kind() {
            StreamKind::Export => self.export_event(circumstances, event),
            StreamKind::Tenant => self.tenant_event(circumstances, event),
            StreamKind::Platform => match decode::<PlatformEvent>(event).unwrap().1.what {
                PlatformEvent::LogCreated(_) if event.revision > 0 || self.logs > 0 => {
                    Err("the log has an id already".to_owned())
                }
                PlatformEvent::LogCreated(_) => {
                    self.logs += 1;
                    Ok(())
                }
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Somebody was told that their request is accepted: now both steps must be in the log.
    pub fn accepted(&mut self, export: ExportId, tenant: &TenantId) {
        let admitted = self.tenants.get(tenant);
        let admitted = admitted.is_some_and(|book| book.admitted(export).is_some());
        if !admitted || !self.exports.contains_key(&export) {
            let what = format!("{} was accepted and is not in the log", brief(export));
            self.violated(what, vec![brief(export), tenant.to_string()]);
        }
        self.accepted.insert(export, tenant.clone());
    }

    /// One request was sent twice and became two exports.
    pub fn doubled(&mut self, one: ExportId, other: ExportId) {
        if one != other {
            let (one, other) = (brief(one), brief(other));
            let what = format!("one idempotency key, two exports: {one} and {other}");
            self.violated(what, vec![one, other]);
        }
    }

    /// A new request was accepted although the intake had been paused before it was sent.
    pub fn accepted_while_paused(&mut self, export: ExportId) {
        let what = format!("{} was accepted during a pause", brief(export));
        self.violated(what, vec![brief(export), "platform".to_owned()]);
    }

    /// What a person is called.
    pub fn called(&mut self, tenant: &TenantId, subject: &str, name: &PrincipalId) {
        let person = (tenant.clone(), subject.to_owned());
        let known = self.persons.entry(person).or_insert_with(|| name.clone());
        if known != name {
            let what = format!("{subject} of {tenant} is called {known} and {name}");
            self.violated(what, vec![format!("directory-{tenant}")]);
        }
    }

    /// A read of an export that began when its stream had `before` events, and what it said.
    pub fn was_read(&mut self, export: ExportId, before: u64, revision: Option<u64>) {
        let now = self.length(export);
        let said = revision.map_or(0, |revision| revision + 1);
        if said < before || said > now {
            let what = format!(
                "{} was read with {said} events, it had {before} before and {now} after",
                brief(export)
            );
            self.violated(what, vec![brief(export)]);
        }
    }

    /// Events of an export.
    pub fn length(&self, export: ExportId) -> u64 {
        let name = format!("export-{export}");
        self.streams.get(&name).map_or(0, |(count, _)| *count)
    }

    /// A run that begins.
    pub fn run(&mut self, by: Process, job: &Job) {
        let book = self.exports.get_mut(&job.export);
        let checked = match book {
            Some(book) => book.run(by, job),
            None => Err("it was never requested".to_owned()),
        };
        if let Err(what) = checked {
            let what = format!("run {} of {}: {what}", job.attempt, brief(job.export));
            self.violated(what, vec![brief(job.export)]);
        }
    }

    /// An object was replaced by another one.
    pub fn overwritten(&mut self, key: &str) {
        let what = format!("{key} was overwritten");
        self.violated(what, vec![key.to_owned()]);
    }

    /// An object is gone.
    pub fn removed(&mut self, key: &str) {
        let published = self
            .exports
            .iter()
            .find(|(_, book)| book.published_key() == Some(key));
        if let Some((export, book)) = published
            && !book.may_lose_its_file()
        {
            let export = brief(*export);
            let what = format!("{key} is gone, which {export} has published");
            self.violated(what, vec![export, key.to_owned()]);
        }
    }
}
