//! Which storages the log was used with, so that one that is empty is told from a new one.
//!
//! An unmounted volume leaves an empty directory, a bucket's server without its disks an empty bucket. Whoever took that for a new storage
//! would find every file lost. The log says better: a storage that was used with it bears its mark, or it is away.

use std::collections::BTreeSet;

use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::platform::{PlatformEvent, StoragesUsed};
use carnet_events::ids::{Digest, NodeId, Timestamp};
use carnet_events::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;

use crate::dating;
use crate::error::Error;
use crate::ports::{Clock, Ids};

/// Conflicts after which recording the storages is given up.
const MAX_CONFLICTS: usize = 64;

/// How many fingerprints one event holds: far below what a store takes.
const MOST_AT_ONCE: usize = 1000;

/// What the platform's stream says.
#[derive(Default)]
struct Told {
    used: BTreeSet<Digest>,
    last: Option<(u64, Timestamp)>,
}

/// Fingerprints of the storages that this log was used with.
///
/// # Errors
/// When the store can't be read.
pub async fn used_storages(store: &dyn EventStore) -> Result<BTreeSet<Digest>, Error> {
    Ok(told(store).await?.used)
}

/// Records which storages this node found to be the log's, but for those that the log names already.
///
/// # Errors
/// When the store can't be read or written.
pub async fn record_storages(
    store: &dyn EventStore,
    ids: &dyn Ids,
    clock: &dyn Clock,
    node: NodeId,
    storages: &BTreeSet<Digest>,
) -> Result<(), Error> {
    let stream = StreamName::platform();
    for _ in 0..MAX_CONFLICTS {
        let Told { used, last } = told(store).await?;
        let new: Vec<Digest> = storages.difference(&used).copied().collect();
        if new.is_empty() {
            return Ok(());
        }
        let at = dating::at(store.probe().await?, clock.now(), last.map(|(_, at)| at));
        let events = new.chunks(MOST_AT_ONCE).map(|new| {
            let used = PlatformEvent::StoragesUsed(StoragesUsed {
                node,
                storages: new.iter().copied().collect(),
            });
            encode(ids.random(), at, &used, &Context::default())
        });
        let events = events.collect::<Result<Vec<_>, _>>();
        let expected = last.map_or(Expected::NoStream, |(head, _)| Expected::Exact(head));
        let events = events.map_err(Error::corrupt)?;
        match store.append(&stream, expected, events).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::unavailable(
        "the platform's stream changed too often",
    ))
}

async fn told(store: &dyn EventStore) -> Result<Told, Error> {
    let stream = StreamName::platform();
    let mut events = store.read(&stream, ReadFrom::Start, Direction::Forwards, usize::MAX);
    let mut told = Told::default();
    while let Some(recorded) = events.next().await.transpose()? {
        let (_, event) = decode::<PlatformEvent>(&recorded)?;
        told.last = Some((recorded.revision, event.at));
        if let PlatformEvent::StoragesUsed(used) = event.what {
            told.used.extend(used.storages);
        }
    }
    Ok(told)
}
