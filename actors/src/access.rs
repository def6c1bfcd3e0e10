//! Access records, kept from growing without bound.
//!
//! The first record of a kind is durable before whoever caused it gets an answer. Repetitions within the window are
//! counted in memory and written once a window as one `repeated`; a kill loses at most a window's counts. The ranges of
//! one download are one record and aren't counted at all.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carnet_events::codec::{DomainEvent, encode};
use carnet_events::domain::access::{AccessEvent, Repeated};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::Expected;
use carnet_events::stream::StreamName;

use crate::api::Cause;
use crate::error::Error;
use crate::shared::Shared;

/// Kinds counted at once. A kind beyond them is written each time, as its first is anyway.
const MAX_KINDS: usize = 10_000;

/// A range asked for within this time of the one before belongs to the same download.
const ONE_DOWNLOAD: Duration = Duration::from_secs(15 * 60);

/// Records of one kind are repetitions of each other.
#[derive(Clone, PartialEq, Eq, Hash)]
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
}

#[derive(Clone, Copy)]
struct Count {
    /// Repetitions not yet written.
    count: u64,
    from: Timestamp,
    to: Timestamp,
    /// By the monotonic clock: when the window began, and when the kind was seen last.
    since: Duration,
    seen: Duration,
}

impl Count {
    fn add(&mut self, now: Timestamp) {
        if self.count == 0 {
            self.from = now;
        }
        self.to = self.to.max(now);
        self.count = self.count.saturating_add(1);
    }
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
        let now = shared.ports.clock.now();
        let is_range = matches!(&event, AccessEvent::Downloaded(downloaded) if downloaded.partial);
        if self.is_repetition(&kind, now, shared.ports.clock.monotonic(), is_range) {
            return Ok(());
        }
        let written = write(shared, tenant, &event, now, cause).await;
        if written.is_err() {
            // The next of its kind is a first one again; what was counted meanwhile is still written.
            let mut kinds = self.lock();
            if kinds.get(&kind).is_some_and(|count| count.count == 0) {
                kinds.remove(&kind);
            }
        }
        written
    }

    fn is_repetition(&self, kind: &Kind, now: Timestamp, tick: Duration, is_range: bool) -> bool {
        let mut kinds = self.lock();
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(kind) {
            kinds.retain(|_, count| count.count > 0);
            if kinds.len() >= MAX_KINDS {
                return false;
            }
        }
        match kinds.entry(kind.clone()) {
            Entry::Vacant(entry) => {
                entry.insert(Count {
                    count: 0,
                    from: now,
                    to: now,
                    since: tick,
                    seen: tick,
                });
                false
            }
            Entry::Occupied(entry) => {
                let count = entry.into_mut();
                let same_download = is_range && tick.saturating_sub(count.seen) < ONE_DOWNLOAD;
                count.seen = tick;
                if !same_download {
                    // Kept on for its ranges only: the kind's window is over, so this one is a first again.
                    if count.count == 0 && tick.saturating_sub(count.since) >= self.window {
                        count.since = tick;
                        return false;
                    }
                    count.add(now);
                }
                true
            }
        }
    }

    /// Writes what was counted, and forgets kinds whose window is over.
    pub(crate) async fn flush(&self, shared: &Shared) {
        for (kind, count) in self.take_counted(shared.ports.clock.monotonic()) {
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
            let written = write(shared, &kind.tenant, &repeated, now, &Cause::default()).await;
            if let Err(error) = written {
                tracing::warn!(%error, of = kind.of, "counted access records could not be written yet");
                self.put_back(kind, count);
            }
        }
    }

    fn take_counted(&self, tick: Duration) -> Vec<(Kind, Count)> {
        let mut counted = Vec::new();
        let window = self.window;
        self.lock().retain(|kind, count| {
            if count.count > 0 {
                counted.push((kind.clone(), *count));
                count.count = 0;
                count.since = tick;
                return true;
            }
            let remembered = if kind.of == "downloaded" {
                ONE_DOWNLOAD
            } else {
                window
            };
            tick.saturating_sub(count.seen) < remembered
        });
        counted
    }

    fn put_back(&self, kind: Kind, lost: Count) {
        let mut kinds = self.lock();
        let count = kinds.entry(kind).or_insert(Count { count: 0, ..lost });
        count.from = if count.count == 0 {
            lost.from
        } else {
            count.from.min(lost.from)
        };
        count.to = count.to.max(lost.to);
        count.count = count.count.saturating_add(lost.count);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Kind, Count>> {
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(
    shared: &Shared,
    tenant: &TenantId,
    event: &AccessEvent,
    now: Timestamp,
    cause: &Cause,
) -> Result<(), Error> {
    let id = shared.ports.ids.random();
    let mut context = cause.context(tenant, Some(event.principal()), id);
    context.causation = None;
    let stream = StreamName::access(tenant, now.month());
    let record = encode(id, now, event, &context).map_err(Error::corrupt)?;
    shared
        .calls
        .record(&stream, Expected::Any, vec![record])
        .await?;
    Ok(())
}
