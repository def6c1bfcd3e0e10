//! Messages of bounded size.
//!
//! The driver takes a whole message into memory before anybody may look at it, and a row is one message. So every connection is looked at before
//! the driver is: whoever reads what others wrote sets a limit, and a row beyond it is noticed by its head. It never gets to the driver, the
//! connection ends, and the column that was too much is known.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::gauge::{Gauge, Limits, Verdict};

/// How much of a message that is refused is looked at at a time.
const LOOK: usize = 8 * 1024;

/// What bytes go over: a socket, with TLS or without.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire for S {}

/// Why a connection was ended from this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    /// A message was too large, by this column of a row, from 0; `None`: it wasn't one column, or no row.
    TooLarge(Option<usize>),
    /// What began with this byte was no answer of a PostgreSQL server.
    Foreign(u8),
}

/// Why a connection was ended from this side, once it was.
pub(super) type Verdicts = Arc<OnceLock<Ended>>;

/// A connection on which no message is larger than it may be.
pub(super) struct Gauged {
    wire: Box<dyn Wire>,
    gauge: Gauge,
    ended: Verdicts,
}

impl Gauged {
    pub(super) fn new(wire: Box<dyn Wire>, limits: Limits, ended: Verdicts) -> Self {
        Self {
            wire,
            gauge: Gauge::new(limits),
            ended,
        }
    }

    fn end(&self, why: Ended) -> Poll<io::Result<()>> {
        let _ = self.ended.set(why);
        Poll::Ready(Err(io::Error::other(match why {
            Ended::TooLarge(_) => "a row is too large",
            Ended::Foreign(_) => "it is no PostgreSQL server",
        })))
    }
}

impl AsyncRead for Gauged {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(context, buffer))?;
        let mut verdict = self
            .gauge
            .take(buffer.filled().get(before..).unwrap_or_default());
        // The rest of it is looked through for its column, and goes no further.
        let mut look = [0; LOOK];
        loop {
            match verdict {
                Verdict::Passes => return Poll::Ready(Ok(())),
                Verdict::Refused(column) => return self.end(Ended::TooLarge(column)),
                Verdict::Foreign(byte) => return self.end(Ended::Foreign(byte)),
                Verdict::Undecided => {}
            }
            buffer.set_filled(before);
            let mut more = ReadBuf::new(&mut look);
            ready!(Pin::new(&mut self.wire).poll_read(context, &mut more))?;
            if more.filled().is_empty() {
                return self.end(Ended::TooLarge(None));
            }
            verdict = self.gauge.take(more.filled());
        }
    }
}

impl AsyncWrite for Gauged {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}
