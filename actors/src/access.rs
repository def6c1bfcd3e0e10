//! Access records, kept from growing without bound.
//!
//! The first record of a kind is durable before whoever caused it, or repeats it, gets an answer. Repetitions within the
//! window are counted in memory and written once a window as one `repeated`; a kill loses at most a window's counts. The
//! ranges of one download are one record and aren't counted at all. Every link is a record of its own, up to a number
//! that only a flood reaches.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carnet_events::codec::{Context, DomainEvent, encode};
use carnet_events::domain::access::{AccessEvent, Repeated};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::Expected;
use carnet_events::stream::StreamName;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::api::Cause;
use crate::error::Error;
use crate::shared::Shared;

/// Kinds counted at once. A kind beyond them is written each time, as its first is anyway.
const MAX_KINDS: usize = 10_000;

/// A range asked for within this time of a download's first belongs to it. From then on it is another one: else whoever asks often enough could take a file
/// away again and again under one record.
const ONE_DOWNLOAD: Duration = Duration::from_secs(15 * 60);

/// Links to one export that one person gets within a window before further ones are only counted: far more than people
/// ask for, and few enough that a loop of requests doesn't fill the log.
const OWN_LINK_RECORDS: u32 = 20;

/// Different readings of the log that are told one by one within a window, for the same reason.
const OWN_READ_RECORDS: usize = 20;

/// Records of one kind are repetitions of each other, or too many to be told one by one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Kind {
    tenant: TenantId,
    principal: PrincipalId,
    of: &'static str,
    code: Option<String>,
    export: Option<ExportId>,
    /// Representation and link of a download, id of a revoked link, format of what was read.
    detail: Option<(String, Option<String>)>,
}

impl Kind {
    fn of(tenant: &TenantId, event: &AccessEvent) -> Self {
        let detail = match event {
            AccessEvent::Downloaded(downloaded) => {
                Some((downloaded.representation.clone(), downloaded.link.clone()))
            }
            AccessEvent::LinkRevoked(revoked) => Some((revoked.link.clone(), None)),
            // Taking the whole log away is another thing than looking at a page of it.
            AccessEvent::AuditRead(read) => Some((read.format.clone(), None)),
            AccessEvent::ExportRefused(_)
            | AccessEvent::AccessDenied(_)
            | AccessEvent::LinkIssued(_)
            | AccessEvent::DownloadEnded(_)
            | AccessEvent::DownloadBlocked(_)
            | AccessEvent::Repeated(_) => None,
        };
        Self {
            tenant: tenant.clone(),
            principal: event.principal().clone(),
            of: event.kind(),
            code: event.code().map(str::to_owned),
            export: event.export(),
            detail,
        }
    }

    fn written_each_window(&self) -> u32 {
        if self.of == "link_issued" {
            OWN_LINK_RECORDS
        } else {
            1
        }
    }

    /// What may be named for the first time within a window and have a record for it. Categories are the catalog's, so
    /// there is an end to them; filters are what people write.
    fn names_each_window(&self) -> usize {
        if self.of == "audit_read" {
            OWN_READ_RECORDS
        } else {
            usize::MAX
        }
    }
}

/// What a record names beyond its kind: counted as a repetition, it must not vanish.
fn names(event: &AccessEvent) -> Vec<String> {
    match event {
        AccessEvent::ExportRefused(refused) => refused.categories.clone(),
        AccessEvent::DownloadBlocked(blocked) => blocked.categories.clone(),
        AccessEvent::AuditRead(read) => vec![format!("{:?}", read.filters)],
        AccessEvent::AccessDenied(_)
        | AccessEvent::LinkIssued(_)
        | AccessEvent::LinkRevoked(_)
        | AccessEvent::Downloaded(_)
        | AccessEvent::DownloadEnded(_)
        | AccessEvent::Repeated(_) => Vec::new(),
    }
}

struct Count {
    /// Repetitions not yet written.
    count: u64,
    from: Timestamp,
    to: Timestamp,
    /// By the monotonic clock: when the window began, and when the kind was seen last.
    since: Duration,
    seen: Duration,
    /// Further records of this kind that are written in this window, not counted.
    left: u32,
    /// What the records written in this window have named.
    named: BTreeSet<String>,
    /// When the download began that ranges belong to, by the monotonic clock.
    began: Option<Duration>,
    /// The record written last, which the counted ones repeat, and what it goes back to.
    repeats: Option<(Uuid, Cause)>,
    /// Cancelled once the append of a record of this kind, now under way, has been answered.
    writing: Option<CancellationToken>,
}

impl Count {
    fn new(now: Timestamp, tick: Duration) -> Self {
        Self {
            count: 0,
            from: now,
            to: now,
            since: tick,
            seen: tick,
            left: 0,
            named: BTreeSet::new(),
            began: None,
            repeats: None,
            writing: None,
        }
    }

    fn add(&mut self, now: Timestamp) {
        if self.count == 0 {
            self.from = now;
        }
        self.to = self.to.max(now);
        self.count = self.count.saturating_add(1);
    }

    /// Whether a record is written, the window begun anew if it is over.
    fn takes_one(
        &mut self,
        (kind, names): (&Kind, &[String]),
        tick: Duration,
        window: Duration,
    ) -> bool {
        // Kept on for its ranges only: the kind's window is over, so this one is a first again.
        if self.count == 0 && tick.saturating_sub(self.since) >= window {
            self.since = tick;
            self.left = kind.written_each_window();
            self.named.clear();
        }
        let is_new = names.iter().any(|name| !self.named.contains(name))
            && self.named.len() < kind.names_each_window();
        let takes = self.left > 0 || is_new;
        if takes {
            self.named.extend(names.iter().cloned());
        }
        self.left = self.left.saturating_sub(1);
        takes
    }

    /// Makes others of this kind wait until what is returned is dropped; they go on in the order in which they came.
    fn begin(&mut self) -> DropGuard {
        let written = CancellationToken::new();
        self.writing = Some(written.clone());
        written.drop_guard()
    }
}

/// Repetitions taken out to be written.
struct Counted {
    count: u64,
    from: Timestamp,
    to: Timestamp,
    repeats: Option<(Uuid, Cause)>,
}

/// What is to be done with a record.
enum Turn {
    /// Another of its kind is being written: wait for that, then ask again.
    After(CancellationToken),
    /// Write it; whoever waits is let go when the guard is dropped.
    Write(Option<DropGuard>),
    /// Nothing: it has been counted, or belongs to a download that is recorded.
    Nothing,
}

/// Writes access records.
pub(crate) struct AccessRecorder {
    window: Duration,
    kinds: Mutex<HashMap<Kind, Count>>,
}

impl AccessRecorder {
    pub(crate) fn new(window: Duration) -> Self {
        Self {
            window,
            kinds: Mutex::default(),
        }
    }

    /// Writes the record if it is the first of its kind, else counts it.
    pub(crate) async fn record(
        &self,
        shared: &Shared,
        tenant: &TenantId,
        event: AccessEvent,
        cause: &Cause,
    ) -> Result<(), Error> {
        let kind = Kind::of(tenant, &event);
        let named = names(&event);
        let is_range = matches!(&event, AccessEvent::Downloaded(downloaded) if downloaded.partial);
        loop {
            let now = shared.ports.clock.now();
            let tick = shared.ports.clock.monotonic();
            match self.turn((&kind, &named), now, tick, is_range) {
                Turn::Nothing => return Ok(()),
                Turn::After(other) => other.cancelled().await,
                Turn::Write(busy) => {
                    let first = First {
                        recorder: self,
                        kind: &kind,
                        written: None,
                        busy,
                    };
                    return first.write(shared, tenant, &event, now, cause).await;
                }
            }
        }
    }

    fn turn(
        &self,
        (kind, names): (&Kind, &[String]),
        now: Timestamp,
        tick: Duration,
        is_range: bool,
    ) -> Turn {
        let mut kinds = self.lock();
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(kind) {
            kinds.retain(|_, count| count.count > 0 || count.writing.is_some());
            if kinds.len() >= MAX_KINDS {
                return Turn::Write(None);
            }
        }
        let count = match kinds.entry(kind.clone()) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => {
                let count = entry.insert(Count::new(now, tick));
                count.left = kind.written_each_window() - 1;
                count.named.extend(names.iter().cloned());
                count.began = Some(tick);
                return Turn::Write(Some(count.begin()));
            }
        };
        if let Some(writing) = &count.writing {
            return Turn::After(writing.clone());
        }
        let began = count.began.filter(|_| is_range);
        count.seen = tick;
        if began.is_some_and(|began| tick.saturating_sub(began) < ONE_DOWNLOAD) {
            return Turn::Nothing;
        }
        count.began = Some(tick);
        if count.takes_one((kind, names), tick, self.window) {
            return Turn::Write(Some(count.begin()));
        }
        count.add(now);
        Turn::Nothing
    }

    /// Writes what was counted, and forgets kinds whose window is over.
    pub(crate) async fn flush(&self, shared: &Shared) {
        let mut counted = self
            .take_counted(shared.ports.clock.monotonic())
            .into_iter();
        while let Some((kind, count)) = counted.next() {
            let repeated = AccessEvent::Repeated(Repeated {
                principal: kind.principal.clone(),
                of: kind.of.to_owned(),
                code: kind.code.clone(),
                export: kind.export,
                count: count.count,
                from: count.from,
                to: count.to,
            });
            let now = shared.ports.clock.now();
            let (first, cause) = count.repeats.clone().unzip();
            let cause = cause.unwrap_or_default();
            let written = write(shared, &kind.tenant, &repeated, now, (first, &cause)).await;
            if let Err(error) = written {
                tracing::warn!(%error, of = kind.of, "counted access records could not be written yet");
                let tick = shared.ports.clock.monotonic();
                self.put_back(kind, &count, tick);
                // Each would wait as long as this one did.
                if error.is_transient() {
                    counted.for_each(|(kind, count)| self.put_back(kind, &count, tick));
                    return;
                }
            }
        }
    }

    fn take_counted(&self, tick: Duration) -> Vec<(Kind, Counted)> {
        let mut counted = Vec::new();
        let window = self.window;
        self.lock().retain(|kind, count| {
            if count.count > 0 {
                let taken = Counted {
                    count: count.count,
                    from: count.from,
                    to: count.to,
                    repeats: count.repeats.clone(),
                };
                counted.push((kind.clone(), taken));
                count.count = 0;
                count.since = tick;
                count.named.clear();
                return true;
            }
            let remembered = if kind.of == "downloaded" {
                ONE_DOWNLOAD
            } else {
                window
            };
            count.writing.is_some() || tick.saturating_sub(count.seen) < remembered
        });
        // The same counts are written in the same order, whatever order the map has them in.
        counted.sort_by(|(one, _), (other, _)| one.cmp(other));
        counted
    }

    fn put_back(&self, kind: Kind, lost: &Counted, tick: Duration) {
        let mut kinds = self.lock();
        let count = kinds
            .entry(kind)
            .or_insert_with(|| Count::new(lost.from, tick));
        count.from = if count.count == 0 {
            lost.from
        } else {
            count.from.min(lost.from)
        };
        count.to = count.to.max(lost.to);
        count.count = count.count.saturating_add(lost.count);
        if count.repeats.is_none() {
            count.repeats.clone_from(&lost.repeats);
        }
    }

    /// Ends the writing of a record. Unless it was written, the next of its kind is a first one again; what was counted
    /// before is still written.
    fn end(&self, kind: &Kind, written: Option<(Uuid, Cause)>) {
        if let Entry::Occupied(mut entry) = self.lock().entry(kind.clone()) {
            entry.get_mut().writing = None;
            match written {
                Some(_) => entry.get_mut().repeats = written,
                None if entry.get().count == 0 => {
                    entry.remove();
                }
                None => {
                    entry.get_mut().named.clear();
                    entry.get_mut().began = None;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A record on its way to the store. Given up, by an error or by whoever asked for it, it makes room for the next.
struct First<'a> {
    recorder: &'a AccessRecorder,
    kind: &'a Kind,
    written: Option<(Uuid, Cause)>,
    /// None for a kind that isn't kept.
    busy: Option<DropGuard>,
}

impl First<'_> {
    async fn write(
        mut self,
        shared: &Shared,
        tenant: &TenantId,
        event: &AccessEvent,
        now: Timestamp,
        cause: &Cause,
    ) -> Result<(), Error> {
        // No command leads to a record, but the request itself.
        let cause = (cause.correlation, cause);
        let id = write(shared, tenant, event, now, cause).await?;
        self.written = Some((id, cause.1.clone()));
        Ok(())
    }
}

impl Drop for First<'_> {
    fn drop(&mut self) {
        // Before its guard is dropped, so that whoever waits finds the kind as it is now.
        if self.busy.is_some() {
            self.recorder.end(self.kind, self.written.take());
        }
    }
}

/// Writes a record; gives its id.
async fn write(
    shared: &Shared,
    tenant: &TenantId,
    event: &AccessEvent,
    now: Timestamp,
    (causation, cause): (Option<Uuid>, &Cause),
) -> Result<Uuid, Error> {
    let id = shared.ports.ids.random();
    let context = Context {
        tenant: Some(tenant.clone()),
        principal: Some(event.principal().clone()),
        causation,
        correlation: cause.correlation,
        trace: cause.trace.clone(),
    };
    let stream = StreamName::access(tenant, now.month());
    let record = encode(id, now, event, &context).map_err(Error::corrupt)?;
    shared
        .calls
        .record(&stream, Expected::Any, vec![record])
        .await?;
    Ok(id)
}
