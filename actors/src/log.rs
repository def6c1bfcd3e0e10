//! The log's id: what the first event of the `platform` stream says, and of every log.

use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::platform::{LogCreated, PlatformEvent};
use carnet_events::store::{Direction, EventStore, Expected, ReadFrom, StoreError};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use uuid::Uuid;

use crate::dating;
use crate::error::Error;
use crate::ports::{Clock, Ids};

/// The log's id. A new log is given one; of several processes that try, one wins and the others learn its id.
///
/// # Errors
/// When the store can't be read or written, or holds something that doesn't begin with an id.
pub async fn log_id(
    store: &dyn EventStore,
    ids: &dyn Ids,
    clock: &dyn Clock,
) -> Result<Uuid, Error> {
    if let Some(id) = first(store).await? {
        return Ok(id);
    }
    let id = ids.random();
    let created = PlatformEvent::LogCreated(LogCreated { log: id });
    let at = dating::at(store.probe().await?, clock.now(), None);
    let event = encode(id, at, &created, &Context::default()).map_err(Error::corrupt)?;
    match store
        .append(&StreamName::platform(), Expected::NoStream, vec![event])
        .await
    {
        Ok(_) | Err(StoreError::Conflict { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    first(store)
        .await?
        .ok_or_else(|| Error::corrupt("the log has no id after it was given one"))
}

async fn first(store: &dyn EventStore) -> Result<Option<Uuid>, Error> {
    let mut events = store.read(
        &StreamName::platform(),
        ReadFrom::Start,
        Direction::Forwards,
        1,
    );
    let Some(recorded) = events.next().await.transpose()? else {
        return Ok(None);
    };
    match decode::<PlatformEvent>(&recorded)?.1.what {
        PlatformEvent::LogCreated(created) => Ok(Some(created.log)),
        PlatformEvent::ConfigurationApplied(_)
        | PlatformEvent::KeysApplied(_)
        | PlatformEvent::StoragesUsed(_)
        | PlatformEvent::IntakePaused(_)
        | PlatformEvent::IntakeResumed(_)
        | PlatformEvent::DrainStarted(_)
        | PlatformEvent::DrainEnded(_)
        | PlatformEvent::RebuildRequested(_)
        | PlatformEvent::CopyAbandoned(_) => {
            Err(Error::corrupt("the log does not begin with its id"))
        }
    }
}
