//! Comparing a copy with what it was made of.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{Context, SHA256};
use futures::{StreamExt, TryStreamExt, stream};
use uuid::Uuid;

use super::mark::{all, mark};
use super::record::Records;
use super::{BATCH, CopyError, Report, Stage, log};
use crate::envelope::Recorded;
use crate::ids::Digest;
use crate::store::{Direction, EventStore, ReadFrom, StoreError};
use crate::stream::StreamName;

/// How many streams are compared at the same time.
const STREAMS: usize = 8;

/// What makes an event what it is; all but its position.
pub(super) fn identity(event: &Recorded) -> (&StreamName, u64, Uuid, &str, &[u8], &[u8]) {
    let Recorded {
        stream,
        revision,
        position: _,
        id,
        kind,
        data,
        metadata,
    } = event;
    (stream, *revision, *id, kind, data, metadata)
}

pub(super) fn place(event: &Recorded) -> String {
    format!("revision {} of {}", event.revision, event.stream)
}

/// Reads both logs again: the total order side by side, and every stream by itself, as decisions read it. What the target
/// holds beyond the source are `records`, or nothing.
pub(super) async fn verify(
    source: &dyn EventStore,
    target: &dyn EventStore,
    records: &Records,
    progress: &(dyn Fn(Stage) + Sync),
) -> Result<Report, CopyError> {
    let (mut from, mut to) = (all(source, None), all(target, None));
    let mut digest = Context::new(&SHA256);
    let (mut events, mut streams, mut begun, mut recorded) = (0, 0, Vec::new(), 0);
    loop {
        let here = from.try_next().await.map_err(CopyError::Source)?;
        let there = to.try_next().await.map_err(CopyError::Target)?;
        let (here, there) = match (here, there) {
            (Some(here), Some(there)) => (here, there),
            (None, None) => break,
            (None, Some(there)) if records.follows(recorded, &there) => {
                recorded += 1;
                continue;
            }
            (Some(here), None) => return Err(different(&here, "is missing in the target")),
            (None, Some(there)) => return Err(different(&there, "is in the target only")),
        };
        if identity(&here) != identity(&there) {
            return Err(different(&here, "is another event in the target"));
        }
        fold(&mut digest, &here);
        events += 1;
        if here.revision == 0 {
            streams += 1;
            begun.push(here.stream);
        }
        if begun.len() >= BATCH {
            compare(source, target, records, std::mem::take(&mut begun)).await?;
        }
        progress(Stage::Verifying(events));
    }
    compare(source, target, records, begun).await?;
    let erased = same_erased(source, target).await?;
    Ok(Report {
        log: log(source).await.map_err(CopyError::Source)?,
        events,
        resumed: 0,
        streams,
        erased,
        digest: finish(digest),
    })
}

async fn same_erased(source: &dyn EventStore, target: &dyn EventStore) -> Result<u64, CopyError> {
    let mark = mark().map_err(CopyError::Target)?;
    let set = |names: Vec<StreamName>| -> BTreeSet<StreamName> {
        names.into_iter().filter(|name| *name != mark).collect()
    };
    let ours = set(source.erased().await.map_err(CopyError::Source)?);
    let theirs = set(target.erased().await.map_err(CopyError::Target)?);
    match ours.symmetric_difference(&theirs).next() {
        Some(name) => Err(CopyError::Different(format!(
            "{name} is erased in only one of them"
        ))),
        None => Ok(ours.len() as u64),
    }
}

/// Compares streams by their digests.
async fn compare(
    source: &dyn EventStore,
    target: &dyn EventStore,
    records: &Records,
    names: Vec<StreamName>,
) -> Result<(), CopyError> {
    let compared = names.into_iter().map(|name| async move {
        let (here, there) = futures::join!(
            digest(source, records, &name),
            digest(target, records, &name)
        );
        let (here, there) = (
            here.map_err(CopyError::Source)?,
            there.map_err(CopyError::Target)?,
        );
        match here == there {
            true => Ok(()),
            false => Err(CopyError::Different(format!("{name} reads differently"))),
        }
    });
    // Boxed: the compiler can't see through so many layers that they may be sent to another thread.
    let compared: Vec<futures::future::BoxFuture<'_, _>> =
        compared.map(|one| Box::pin(one) as _).collect();
    stream::iter(compared)
        .buffer_unordered(STREAMS)
        .try_collect::<()>()
        .await
}

/// A stream's digest, and how many events it has, but for the records.
async fn digest(
    store: &dyn EventStore,
    records: &Records,
    name: &StreamName,
) -> Result<(u64, Digest), StoreError> {
    let mut events = store.read(name, ReadFrom::Start, Direction::Forwards, usize::MAX);
    let (mut digest, mut count) = (Context::new(&SHA256), 0);
    while let Some(event) = events.try_next().await? {
        if records.hold(&event) {
            continue;
        }
        fold(&mut digest, &event);
        count += 1;
    }
    Ok((count, finish(digest)))
}

fn fold(digest: &mut Context, event: &Recorded) {
    let (stream, revision, id, kind, data, metadata) = identity(event);
    digest.update(&revision.to_be_bytes());
    digest.update(id.as_bytes());
    for part in [stream.as_str().as_bytes(), kind.as_bytes(), data, metadata] {
        digest.update(&(part.len() as u64).to_be_bytes());
        digest.update(part);
    }
}

fn finish(digest: Context) -> Digest {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest.finish().as_ref());
    Digest::from_bytes(bytes)
}

fn different(event: &Recorded, how: &str) -> CopyError {
    CopyError::Different(format!("{} {how}", place(event)))
}
