//! Whether this node's keys are those the log was made with.
//!
//! Sessions, links, cursors and hashed columns are made with the key ring's keys, and every node must have the same ones.
//! The log says which they are, by fingerprint. A ring that has none of the keys in use is another service's, or a
//! fresh one after the file was lost.

use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::platform::{KeysApplied, PlatformEvent};
use carnet_events::ids::{Digest, NodeId};
use carnet_events::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;

use crate::error::Error;
use crate::ports::{Clock, Ids};

/// Conflicts after which recording the keys is given up.
const MAX_CONFLICTS: usize = 64;

/// What the log says of a node's keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keys {
    /// They are the ones in use, or have one in common with them, or are the first.
    Known,
    /// None of them is in use. Nothing was recorded.
    Foreign,
}

/// Holds the fingerprints of this node's keys against those the log names last, and records them if they differ. Foreign
/// ones are recorded only with `replace`, by someone who knows that what was made with the others is lost.
///
/// # Errors
/// When the store can't be read or written.
pub async fn apply_keys(
    store: &dyn EventStore,
    ids: &dyn Ids,
    clock: &dyn Clock,
    node: NodeId,
    keys: &[Digest],
    replace: bool,
) -> Result<Keys, Error> {
    let stream = StreamName::platform();
    for _ in 0..MAX_CONFLICTS {
        // Asked for before the stream is read: what is appended meanwhile conflicts.
        let head = store.head(&stream).await?;
        if let Some(in_use) = newest(store).await? {
            if in_use == keys {
                return Ok(Keys::Known);
            }
            let shared = keys.iter().any(|key| in_use.contains(key));
            if !shared && !replace {
                return Ok(Keys::Foreign);
            }
        }
        let applied = PlatformEvent::KeysApplied(KeysApplied {
            node,
            keys: keys.to_vec(),
        });
        let event = encode(ids.random(), clock.now(), &applied, &Context::default());
        let expected = head.map_or(Expected::NoStream, Expected::Exact);
        let event = event.map_err(Error::corrupt)?;
        match store.append(&stream, expected, vec![event]).await {
            Ok(_) => return Ok(Keys::Known),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Error::unavailable(
        "the platform's stream changed too often",
    ))
}

/// The fingerprints that were recorded last.
async fn newest(store: &dyn EventStore) -> Result<Option<Vec<Digest>>, Error> {
    let stream = StreamName::platform();
    let mut events = store.read(&stream, ReadFrom::End, Direction::Backwards, usize::MAX);
    while let Some(recorded) = events.next().await.transpose()? {
        let (_, event) = decode::<PlatformEvent>(&recorded)?;
        if let PlatformEvent::KeysApplied(applied) = event.what {
            return Ok(Some(applied.keys));
        }
    }
    Ok(None)
}
