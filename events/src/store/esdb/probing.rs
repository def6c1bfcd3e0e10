//! Probing: whether the server takes what is written, and how its clock stands.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use eventstore::{AppendToStreamOptions, Credentials, ExpectedRevision, StreamMetadataBuilder};
use uuid::Uuid;

use super::Inner;
use super::appending::{contained, write};
use super::link::Link;
use super::reading::{self, STREAM_PATIENCE};
use super::trouble::Trouble;
use super::wire::appends::{ExpectedAt, Proposed};
use super::wire::{Empty, Revision};
use crate::store::types::skew_at_least;
use crate::store::{Direction, StoreError, StoreHealth};

impl Inner {
    pub(super) async fn probe(&self) -> Result<StoreHealth, StoreError> {
        if self.read_only {
            return Err(StoreError::refused("it was opened for reading only"));
        }
        self.writable().await?;
        let stream = &self.names.probes();
        if !self.probes_bounded.swap(true, Ordering::SeqCst) {
            self.bound_probes(stream).await;
        }
        let id = Uuid::new_v4();
        let begun = SystemTime::now();
        let written = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let event = Proposed::new(id, "probe", Bytes::new(), Bytes::new());
                let written = write(&link, stream, ExpectedAt::Any(Empty {}), vec![event]).await;
                Ok((written?.0, SystemTime::now()))
            });
        let (revision, answered) = written.await?;
        let created = self
            .supervisor
            .retry(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let (from, forwards) = (Revision::At(revision), Direction::Forwards);
                let page = reading::stream(&link, stream, from, forwards, 1).await?;
                let event = page.events.first();
                // In tenths of a microsecond; the client crate would cut it to seconds.
                let ticks =
                    event.and_then(|event| event.metadata.get("created")?.parse::<i64>().ok());
                Ok(ticks.map(|ticks| ticks / 10_000))
            });
        let (begun, answered) = (unix_ms(begun), unix_ms(answered));
        let created = created.await?;
        Ok(StoreHealth {
            clock_skew_ms: created.map(|created| skew_at_least(created, begun, answered)),
        })
    }

    /// Tells the server to keep one probe. A user who may not say so leaves the probes there, which harms little.
    async fn bound_probes(&self, stream: &str) {
        let told = self
            .supervisor
            .attempt(STREAM_PATIENCE, |link: Arc<Link>| async move {
                let mut options = AppendToStreamOptions::default()
                    .expected_revision(ExpectedRevision::NoStream)
                    .requires_leader(true)
                    .deadline(STREAM_PATIENCE);
                if let Some((user, password)) = link.credentials.clone() {
                    options = options.authenticated(Credentials::new(user, password));
                }
                let metadata = StreamMetadataBuilder::new().max_count(1).build();
                let (client, stream) = (link.client.clone(), stream.to_owned());
                let call = async move {
                    client
                        .set_stream_metadata(stream, &options, &metadata)
                        .await
                };
                contained(call).await
            });
        match told.await {
            Ok(_) | Err(Trouble::WrongRevision) => {}
            Err(trouble) => {
                tracing::info!(%trouble, stream, "probes of the event store are not bounded");
            }
        }
    }
}

fn unix_ms(time: SystemTime) -> i64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
