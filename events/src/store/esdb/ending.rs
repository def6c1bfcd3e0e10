//! What is erased of a namespace.
//!
//! The server tells of an erased stream only who asks for it by name. So every erasure is noted before it is made, in a stream
//! of the store's own.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use eventstore::{Credentials, ExpectedRevision, TombstoneStreamOptions};
use tokio::time::timeout;
use uuid::Uuid;

use super::Inner;
use super::appending::{self, contained, write};
use super::link::Link;
use super::reading::{self, PAGE, STREAM_PATIENCE};
use super::seal::WRITE_PATIENCE;
use super::supervisor::BUDGET;
use super::trouble::Trouble;
use super::wire::appends::{ExpectedAt, Proposed};
use super::wire::{Empty, Revision};
use crate::store::{Direction, StoreError};
use crate::stream::StreamName;

impl Inner {
    /// Erases `name`, as the log's contract says.
    pub(super) async fn erase(&self, name: &StreamName) -> Result<(), StoreError> {
        self.writable().await?;
        self.note_erasure(name).await?;
        let on_server = &self.names.on_server(name);
        // Whoever appends to it in this process is done first, and knows nothing of it afterwards.
        let known = self.streams.of(name);
        let Ok(mut known) = timeout(BUDGET, known.lock()).await else {
            return Err(StoreError::unavailable(
                "others are appending to the stream",
            ));
        };
        known.forget();
        let sent = &AtomicBool::new(false);
        let erased = self
            .supervisor
            .retry(WRITE_PATIENCE, |link: Arc<Link>| async move {
                match self.unsealed(&link, tombstone(&link, on_server)).await {
                    Ok(()) | Err(Trouble::Deleted) => Ok(()),
                    Err(trouble) => {
                        let lost = matches!(trouble, Trouble::Lost(_));
                        sent.fetch_or(lost, Ordering::Relaxed);
                        Err(trouble)
                    }
                }
            });
        let erased = erased.await;
        erased.map_err(|error| appending::said(sent.load(Ordering::Relaxed), error))?;
        self.erased.add(name);
        Ok(())
    }

    /// Notes that `name` is to be erased, before it is: the server tells of an erased stream only who asks for it by name.
    pub(super) async fn note_erasure(&self, name: &StreamName) -> Result<(), StoreError> {
        let stream = &self.names.erasures();
        let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, name.as_str().as_bytes());
        let written = self
            .supervisor
            .retry(WRITE_PATIENCE, |link: Arc<Link>| async move {
                let name = Bytes::copy_from_slice(name.as_str().as_bytes());
                let event = Proposed::new(id, "carnet-erasure", name, Bytes::new());
                let written = write(&link, stream, ExpectedAt::Any(Empty {}), vec![event]);
                self.unsealed(&link, written).await.map(drop)
            });
        written.await
    }

    /// The streams that were erased: of those noted the ones that are.
    pub(super) async fn all_erased(&self) -> Result<Vec<StreamName>, StoreError> {
        let stream = &self.names.erasures();
        let (mut noted, mut from) = (BTreeSet::new(), 0);
        loop {
            let read = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    let at = Revision::At(from);
                    reading::stream(&link, stream, at, Direction::Forwards, PAGE).await
                });
            let page = read.await?;
            for event in &page.events {
                from = event.revision + 1;
                let strange =
                    |_| StoreError::corrupt("an erasure was noted under an impossible name");
                noted.insert(
                    super::seal::text(&event.data)
                        .parse::<StreamName>()
                        .map_err(strange)?,
                );
            }
            if page.whole || page.events.is_empty() {
                break;
            }
        }
        let mut erased = Vec::new();
        for name in noted {
            let on_server = &self.names.on_server(&name);
            let is_erased = self
                .supervisor
                .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                    match reading::head(&link, on_server).await {
                        Err(Trouble::Deleted) => Ok(true),
                        head => head.map(|_| false),
                    }
                });
            if is_erased.await? {
                erased.push(name);
            }
        }
        Ok(erased)
    }
}

/// One try to close a stream for good.
async fn tombstone(link: &Link, stream: &str) -> Result<(), Trouble> {
    let mut options = TombstoneStreamOptions::default()
        .expected_revision(ExpectedRevision::Any)
        .requires_leader(true)
        .deadline(appending::PATIENCE);
    if let Some((user, password)) = link.credentials.clone() {
        options = options.authenticated(Credentials::new(user, password));
    }
    let (client, stream) = (link.client.clone(), stream.to_owned());
    let call = async move { client.tombstone_stream(stream, &options).await };
    contained(call).await.map(drop)
}
