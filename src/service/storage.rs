//! Opening the storages of artifacts, trying them again and again, and telling the log which of them are its own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use carnet_actors::ports::{Clock, Ids};
use carnet_events::ids::{Digest, NodeId};
use carnet_events::store::EventStore;
use uuid::Uuid;

use super::{Around, StartError};
use crate::config::Config;
use crate::export::{Storages, StoragesLog};

/// How often the storages are tried.
const VERIFY_EVERY: Duration = Duration::from_secs(60);
/// How often while one of them doesn't work, so that it is soon used again.
const VERIFY_AGAIN: Duration = Duration::from_secs(15);
/// They are tried no sooner than so long after the last time, however often they are doubted.
const PAUSE: Duration = Duration::from_secs(1);

/// Opens the storages. One that the log was used with before is taken only with its mark, unless what it held is lost.
pub(super) async fn open(
    config: &Config,
    log_id: Uuid,
    store: &dyn EventStore,
    around: &Around,
) -> Result<Arc<Storages>, StartError> {
    let (common, own) = config.storages()?;
    let used = match around.replace_storages {
        true => BTreeSet::new(),
        false => carnet_actors::used_storages(store).await?,
    };
    let id = log_id.to_string();
    let storages = Storages::open(common, &own, StoragesLog { id, used }).await?;
    Ok(Arc::new(storages))
}

/// Tells the log which storages were found to be its own. A bucket may be found to be only when its server is up.
pub(super) struct Claims {
    store: Arc<dyn EventStore>,
    storages: Arc<Storages>,
    node: NodeId,
    ids: Arc<dyn Ids>,
    clock: Arc<dyn Clock>,
}

impl Claims {
    pub(super) fn new(
        store: &Arc<dyn EventStore>,
        storages: &Arc<Storages>,
        node: NodeId,
        around: &Around,
    ) -> Self {
        Self {
            store: Arc::clone(store),
            storages: Arc::clone(storages),
            node,
            ids: Arc::clone(&around.ids),
            clock: Arc::clone(&around.clock),
        }
    }

    /// Records what the log doesn't say yet, and gives all that it says now.
    pub(super) async fn record(&self) -> Result<BTreeSet<Digest>, StartError> {
        let claimed = self.storages.claimed();
        let (store, ids, clock) = (self.store.as_ref(), self.ids.as_ref(), self.clock.as_ref());
        carnet_actors::record_storages(store, ids, clock, self.node, &claimed).await?;
        Ok(claimed)
    }
}

pub(super) async fn keep_verifying(storages: Arc<Storages>, clock: Arc<dyn Clock>, claims: Claims) {
    let mut recorded = storages.claimed();
    loop {
        clock.sleep(PAUSE).await;
        let wait = match storages.all_work() {
            true => VERIFY_EVERY - PAUSE,
            false => VERIFY_AGAIN - PAUSE,
        };
        tokio::select! {
            () = clock.sleep(wait) => {}
            () = storages.doubted() => {}
        }
        storages.verify(clock.now()).await;
        if storages.claimed() == recorded {
            continue;
        }
        match claims.record().await {
            Ok(claimed) => recorded = claimed,
            // Until it can be, a storage that is emptied and started with is taken for a new one, as before.
            Err(error) => tracing::warn!(%error, "the storages in use couldn't be recorded"),
        }
    }
}
