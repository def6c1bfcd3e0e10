//! Whether this node's keys are those the log was made with.
//!
//! Sessions, links, cursors and hashed columns are made with the key ring's keys, and every node must have the same ones.
//! The log says which they are, by fingerprint. A ring that has none of the keys in use is another service's, or a
//! fresh one after the file was lost.

use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::platform::{KeysApplied, PlatformEvent};
use carnet_events::ids::{Digest, NodeId, Timestamp};
use carnet_events::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;

use crate::dating;
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
        let Found { last, keys: in_use } = newest(store).await?;
        if let Some(in_use) = in_use {
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
        let at = dating::at(store.probe().await?, clock.now(), last.map(|(_, at)| at));
        let event = encode(ids.random(), at, &applied, &Context::default());
        let expected = last.map_or(Expected::NoStream, |(head, _)| Expected::Exact(head));
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

/// What the platform's stream says.
#[derive(Default)]
struct Found {
    /// Its last event: where it stands and when it happened.
    last: Option<(u64, Timestamp)>,
    /// The fingerprints that were recorded last.
    keys: Option<Vec<Digest>>,
}

async fn newest(store: &dyn EventStore) -> Result<Found, Error> {
    let stream = StreamName::platform();
    let mut events = store.read(&stream, ReadFrom::End, Direction::Backwards, usize::MAX);
    let mut found = Found::default();
    while let Some(recorded) = events.next().await.transpose()? {
        let (_, event) = decode::<PlatformEvent>(&recorded)?;
        found.last.get_or_insert((recorded.revision, event.at));
        if let PlatformEvent::KeysApplied(applied) = event.what {
            found.keys = Some(applied.keys);
            break;
        }
    }
    Ok(found)
}
