//! What the service keeps beyond this process: the log, the keys, the node's id, the files. Opened in that order, and found to belong together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use carnet_actors::Keys;
use carnet_actors::ports::{Clock, Ids};
use carnet_events::ids::NodeId;
use carnet_events::store::{Access, EventStore};

use super::node::Node;
use super::storage::{self, Claims};
use super::{Around, StartError, open_log};
use crate::config::Config;
use crate::export::Storages;
use crate::keys::{KeyError, KeyRing};

/// All of it.
pub(super) struct Kept {
    pub(super) store: Arc<dyn EventStore>,
    pub(super) keys: Arc<KeyRing>,
    /// Held until the end: no other process is this node meanwhile.
    pub(super) node: Node,
    pub(super) storages: Arc<Storages>,
    pub(super) claims: Claims,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) ids: Arc<dyn Ids>,
}

impl Kept {
    /// Opens it, and makes what a new service lacks.
    ///
    /// # Errors
    /// What can't be opened, or belongs to another service.
    pub(super) async fn open(config: &Config, around: &Around) -> Result<Self, StartError> {
        let (clock, ids) = (Arc::clone(&around.clock), Arc::clone(&around.ids));
        let store = open_log(&config.store.url, Access::ReadWrite).await?;
        let keys = Arc::new(open_keys(config)?);
        let node = Node::open(&data_directory(config), config.store.is_shared())?;
        let log_id = carnet_actors::log_id(store.as_ref(), ids.as_ref(), clock.as_ref()).await?;
        check_keys(config, &keys, node.id, store.as_ref(), around).await?;
        let storages = storage::open(config, log_id, store.as_ref(), around).await?;
        storages.verify(clock.now()).await;
        let claims = Claims::new(&store, &storages, node.id, around);
        claims.record().await?;
        Ok(Self {
            store,
            keys,
            node,
            storages,
            claims,
            clock,
            ids,
        })
    }
}

/// Where the node's id is kept: beside the event store if that is a file, else beside its read models, which are this node's
/// alone too; keys may be on a disk that nodes share.
fn data_directory(config: &Config) -> PathBuf {
    let store = config.store.url.strip_prefix("sqlite:");
    let file = store.map_or(config.projections.path.as_path(), Path::new);
    file.parent().unwrap_or(Path::new(".")).to_owned()
}

fn open_keys(config: &Config) -> Result<KeyRing, KeyError> {
    match config.store.is_shared() {
        true => KeyRing::open_existing(&config.keys.file),
        false => KeyRing::open(&config.keys.file),
    }
}

/// Refuses keys that are not this log's.
async fn check_keys(
    config: &Config,
    keys: &KeyRing,
    node: NodeId,
    store: &dyn EventStore,
    around: &Around,
) -> Result<(), StartError> {
    let (ids, clock) = (around.ids.as_ref(), around.clock.as_ref());
    let fingerprints = keys.fingerprints()?;
    let replace = around.replace_keys;
    match carnet_actors::apply_keys(store, ids, clock, node, &fingerprints, replace).await? {
        Keys::Known => Ok(()),
        Keys::Foreign => Err(StartError::ForeignKeys(config.keys.file.clone())),
    }
}
