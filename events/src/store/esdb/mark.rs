//! The mark with which a namespace begins.

use std::sync::Arc;

use bytes::Bytes;
use uuid::Uuid;

use super::appending::write;
use super::link::Link;
use super::reading::{self, STREAM_PATIENCE};
use super::supervisor::Supervisor;
use super::trouble::Trouble;
use super::wire::appends::{ExpectedAt, Proposed};
use super::wire::{Empty, Revision};
use crate::envelope::Position;
use crate::store::{Direction, StoreError};

/// What the mark of a namespace says.
const MARK: &[u8] = br#"{"format":1}"#;

/// Where the namespace begins; marked there if it is new, so that nobody ever looks for our events in what others wrote
/// before there were any.
pub(super) async fn mark(
    supervisor: &Supervisor,
    stream: &str,
    read_only: bool,
) -> Result<Option<Position>, StoreError> {
    let corrupt = &|| {
        StoreError::corrupt(format!(
            "the stream `{stream}`, with which the namespace begins, was deleted or is not ours"
        ))
    };
    for _ in 0..2 {
        let read = supervisor.retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
            let start = Revision::Start(Empty {});
            let page = reading::stream(&link, stream, start, Direction::Forwards, 1).await;
            match page {
                Err(Trouble::Deleted) => Ok(Err(corrupt())),
                page => Ok(Ok(page?.events.into_iter().next())),
            }
        });
        if let Some(event) = read.await?? {
            let position = reading::position(&event).map_err(Trouble::into_error)?;
            let ours = event.revision == 0 && event.data == MARK;
            return if ours {
                Ok(Some(position))
            } else {
                Err(corrupt())
            };
        }
        if read_only {
            return Ok(None);
        }
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, stream.as_bytes());
        let written = supervisor.retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
            let mark = Bytes::from_static(MARK);
            let event = Proposed::new(id, "carnet-store", mark, Bytes::new());
            match write(&link, stream, ExpectedAt::NoStream(Empty {}), vec![event]).await {
                // Somebody else was first.
                Err(Trouble::WrongRevision) => Ok(()),
                written => written.map(|_| ()),
            }
        });
        written.await?;
    }
    Err(corrupt())
}
