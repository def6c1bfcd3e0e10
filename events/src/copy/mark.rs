//! The mark of a target whose copy was begun and not finished: an event in a directory of no tenant, the one kind of stream
//! that can be taken away again.

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use uuid::Uuid;

use super::{CopyError, insist};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::ids::TenantId;
use crate::store::{EventStore, EventStream, Expected, Filter, StoreError};
use crate::stream::StreamName;

/// Whether `store` is the target of a copy that was begun and not finished: a part of a log, which looks like a whole one.
///
/// # Errors
/// `Unavailable` or `Corrupt`.
pub async fn unfinished(store: &dyn EventStore) -> Result<bool, StoreError> {
    Ok(store.head(&mark()?).await?.is_some())
}

/// A tenant that can't be: its directory is the [`mark`].
const NO_TENANT: &str = "carnet-copy-in-the-making";

/// Whether no tenant may have this id, for a store keeps something else under it.
#[must_use]
pub fn is_reserved(tenant: &TenantId) -> bool {
    tenant.as_str() == NO_TENANT
}

/// The stream that says of a target that its copy was begun.
pub(super) fn mark() -> Result<StreamName, StoreError> {
    let tenant = TenantId::new(NO_TENANT);
    let tenant = tenant.map_err(|error| StoreError::invalid(error.to_string()))?;
    Ok(StreamName::directory(&tenant))
}

/// Marks the target, unless its copy was finished before.
pub(super) async fn begin(target: &dyn EventStore, mark: &StreamName) -> Result<(), CopyError> {
    let erased = target.erased().await.map_err(CopyError::Target)?;
    if erased.contains(mark) {
        return Ok(());
    }
    let begun = NewEvent {
        id: Uuid::new_v5(&Uuid::NAMESPACE_URL, mark.as_str().as_bytes()),
        kind: "carnet-copy-begun".into(),
        data: Bytes::new(),
        metadata: Bytes::new(),
    };
    insist(async || {
        let begun = vec![begun.clone()];
        let appended = target.append(mark, Expected::NoStream, begun).await;
        appended.map(drop)
    })
    .await
}

/// All events but the target's mark.
pub(super) fn all(store: &dyn EventStore, after: Option<Position>) -> EventStream<Recorded> {
    let mark = mark().ok();
    let events = store.read_all(after, Filter::all(), usize::MAX);
    let ours = move |event: &Recorded| std::future::ready(Some(&event.stream) != mark.as_ref());
    events.try_filter(ours).boxed()
}
