//! How a download ended, told once, to whoever records it.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::{Stream, StreamExt};

use super::{ByteStream, Damage, ReadError};

/// How a stream of bytes ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// All of it was passed on.
    Complete,
    /// The reader went away.
    Abandoned,
    /// The file is not what was published.
    Damaged(Damage),
    /// The storage failed.
    Failed(String),
}

/// The end of one stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Bytes passed on.
    pub bytes: u64,
    /// How.
    pub end: End,
}

/// Hears how a stream ended. Called once, from wherever the stream is dropped or ends: it must not block.
pub type OnEnd = Box<dyn FnOnce(Ended) + Send>;

/// A stream that tells how it ended.
pub(super) struct Watched {
    inner: ByteStream,
    bytes: u64,
    on_end: Option<OnEnd>,
}

impl Watched {
    pub(super) fn wrap(inner: ByteStream, on_end: OnEnd) -> ByteStream {
        Self {
            inner,
            bytes: 0,
            on_end: Some(on_end),
        }
        .boxed()
    }

    fn end(&mut self, end: End) {
        if let Some(on_end) = self.on_end.take() {
            on_end(Ended {
                bytes: self.bytes,
                end,
            });
        }
    }
}

impl Stream for Watched {
    type Item = Result<Bytes, ReadError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.on_end.is_none() {
            return Poll::Ready(None);
        }
        let polled = self.inner.poll_next_unpin(context);
        match &polled {
            Poll::Ready(Some(Ok(bytes))) => self.bytes += bytes.len() as u64,
            Poll::Ready(Some(Err(ReadError::Damaged(damage)))) => {
                let end = End::Damaged(*damage);
                self.end(end);
            }
            Poll::Ready(Some(Err(ReadError::Storage(error)))) => {
                let end = End::Failed(error.to_string());
                self.end(end);
            }
            Poll::Ready(None) => self.end(End::Complete),
            Poll::Pending => {}
        }
        polled
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end(End::Abandoned);
    }
}
