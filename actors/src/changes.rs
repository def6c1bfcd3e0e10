//! Telling those who follow an export that something happened to it, on whichever node.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use carnet_events::envelope::{Position, Recorded};
use carnet_events::ids::ExportId;
use carnet_events::store::{Delivery, Filter, StoreError};
use carnet_events::stream::StreamKind;
use futures::StreamExt;
use tokio::sync::watch;

use crate::directory::House;
use crate::shared::Shared;

/// The wait before a subscription that ended is begun anew.
const PAUSE: Duration = Duration::from_secs(1);

/// Entries from which on those whom nobody follows any more are looked for.
const CROWDED: usize = 1024;

/// Those who follow exports. Bounded by how many follow; who may is bounded at the edge.
#[derive(Default)]
pub(crate) struct Watchers(Mutex<BTreeMap<ExportId, watch::Sender<u64>>>);

impl Watchers {
    /// A receiver that is told whenever the export's stream has grown.
    pub(crate) fn follow(&self, export: ExportId) -> watch::Receiver<u64> {
        let mut followed = self.lock();
        if followed.len() >= CROWDED {
            followed.retain(|_, sender| sender.receiver_count() > 0);
        }
        match followed.entry(export) {
            Entry::Occupied(entry) => entry.get().subscribe(),
            Entry::Vacant(entry) => entry.insert(watch::Sender::new(0)).subscribe(),
        }
    }

    fn tell(&self, export: ExportId, revision: u64) {
        let mut followed = self.lock();
        if let Entry::Occupied(entry) = followed.entry(export) {
            if entry.get().receiver_count() == 0 {
                entry.remove();
            } else {
                entry
                    .get()
                    .send_modify(|newest| *newest = revision.max(*newest));
            }
        }
    }

    /// Tells everybody to look, for something may have been missed.
    fn tell_all(&self) {
        for sender in self.lock().values() {
            sender.send_modify(|_| {});
        }
    }

    /// Nothing will be told any more.
    pub(crate) fn close(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ExportId, watch::Sender<u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the log from its present end, and tells.
pub(crate) async fn follow(shared: Arc<Shared>) {
    let exports = Filter::all().streams([StreamKind::Export]);
    from_now_on(
        &shared,
        &exports,
        || shared.watchers.tell_all(),
        |event| {
            if let Some(export) = event.stream.export_id() {
                shared.watchers.tell(export, event.revision);
            }
        },
    )
    .await;
}

/// Follows the log from its present end, and lets go of what is known of the people of tenants that were purged, on
/// whichever node.
pub(crate) async fn follow_purges(shared: Arc<Shared>) {
    let purges = Filter::all()
        .streams([StreamKind::Tenant])
        .kinds(["purged"]);
    from_now_on(
        &shared,
        &purges,
        || {},
        |event| {
            if let Some(tenant) = event.stream.tenant_id() {
                shared.directory.forget(&House::Tenant(tenant));
            }
        },
    )
    .await;
}

/// Hears of every event there will be; of each (re)beginning before what comes after it.
async fn from_now_on(shared: &Shared, filter: &Filter, begin: impl Fn(), hear: impl Fn(&Recorded)) {
    let mut after = None;
    let mut placed = false;
    loop {
        if !placed {
            match shared.calls.last_position().await {
                Ok(position) => (after, placed) = (position, true),
                Err(error) => tracing::warn!(%error, "the end of the log can't be told"),
            }
        }
        if placed {
            begin();
            let error = deliver(shared, filter, &mut after, &hear).await;
            tracing::warn!(?error, "a subscription ended; it is begun anew");
        }
        shared.ports.clock.sleep(PAUSE).await;
    }
}

async fn deliver(
    shared: &Shared,
    filter: &Filter,
    after: &mut Option<Position>,
    hear: &impl Fn(&Recorded),
) -> Option<StoreError> {
    let mut deliveries = shared.ports.store.subscribe(*after, filter.clone());
    while let Some(delivery) = deliveries.next().await {
        match delivery {
            Ok(Delivery::Event(event)) => {
                *after = Some(event.position);
                hear(&event);
            }
            Ok(Delivery::Checkpoint(position)) => *after = Some(position),
            Ok(Delivery::CaughtUp) => {}
            Err(error) => return Some(error),
        }
    }
    None
}
