//! Messages of bounded size.
//!
//! The driver takes a whole message into memory before anybody may look at it, and a row is one message. So whoever reads what others wrote sets
//! a limit, and a row beyond it is noticed by its head: it never gets to the driver, the connection ends, and the column that was too much is known.
//!
//! The driver lets nobody between itself and a plain connection, only between itself and TLS. So it is told that TLS begins at once, and what
//! it calls for that is here: it asks the server for TLS as the driver would have done, or doesn't, and hands on either stream, gauged. Unix sockets
//! know no TLS, so they have no limit.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};

use super::gauge::{Gauge, Limits, Verdict};
use super::tls::{Encrypted, Handshake, Mode, Tls};

/// Asks the server whether it does TLS: the length, and a code that is no version of the protocol.
const TLS_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// How much of a message that is refused is looked at at a time.
const LOOK: usize = 8 * 1024;

/// Makes gauged connections, encrypted or not.
#[derive(Clone)]
pub(super) struct BoundedTls {
    pub(super) tls: Tls,
    pub(super) mode: Mode,
    /// The server speaks TLS from the first byte and isn't asked.
    pub(super) direct: bool,
    pub(super) limits: Limits,
    pub(super) refused: Refused,
}

/// The column of a row that was refused, once one was; `None` within: it wasn't one column, or no row.
pub(super) type Refused = Arc<OnceLock<Option<usize>>>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> MakeTlsConnect<S> for BoundedTls {
    type Stream = Gauged<S>;
    type TlsConnect = BoundedHandshake;
    type Error = io::Error;

    fn make_tls_connect(&mut self, domain: &str) -> Result<BoundedHandshake, io::Error> {
        let handshake = MakeTlsConnect::<S>::make_tls_connect(&mut self.tls, domain)?;
        Ok(BoundedHandshake {
            handshake,
            with: self.clone(),
        })
    }
}

pub(super) struct BoundedHandshake {
    handshake: Handshake,
    with: BoundedTls,
}

type Beginning<S> = Pin<Box<dyn Future<Output = io::Result<Gauged<S>>> + Send>>;

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> TlsConnect<S> for BoundedHandshake {
    type Stream = Gauged<S>;
    type Error = io::Error;
    type Future = Beginning<S>;

    fn connect(self, stream: S) -> Beginning<S> {
        Box::pin(self.begin(stream))
    }
}

impl BoundedHandshake {
    async fn begin<S>(self, mut stream: S) -> io::Result<Gauged<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let Self { handshake, with } = self;
        let encrypted = match with.mode {
            Mode::Disable => false,
            _ if with.direct => true,
            mode => {
                stream.write_all(&TLS_REQUEST).await?;
                let offered = stream.read_u8().await? == b'S';
                if !offered && mode != Mode::Prefer {
                    return Err(io::Error::other("server does not support TLS"));
                }
                offered
            }
        };
        let stream = match encrypted {
            true => Either::Encrypted(Box::new(handshake.connect(stream).await?)),
            false => Either::Plain(stream),
        };
        Ok(Gauged {
            stream,
            gauge: Gauge::new(with.limits),
            refused: with.refused,
        })
    }
}

enum Either<S> {
    Plain(S),
    Encrypted(Box<Encrypted<S>>),
}

/// A connection on which no message is larger than it may be.
pub(super) struct Gauged<S> {
    stream: Either<S>,
    gauge: Gauge,
    refused: Refused,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Gauged<S> {
    fn refuse(&self, column: Option<usize>) -> Poll<io::Result<()>> {
        let _ = self.refused.set(column);
        Poll::Ready(Err(io::Error::other("a row is too large")))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream for Gauged<S> {
    fn channel_binding(&self) -> ChannelBinding {
        // What it would add, `verify-full` has: that nobody stands between.
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Gauged<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let mut verdict = self
            .gauge
            .take(buffer.filled().get(before..).unwrap_or_default());
        // The rest of it is looked through for its column, and goes no further.
        let mut look = [0; LOOK];
        loop {
            match verdict {
                Verdict::Passes => return Poll::Ready(Ok(())),
                Verdict::Refused(column) => return self.refuse(column),
                Verdict::Undecided => {}
            }
            buffer.set_filled(before);
            let mut more = ReadBuf::new(&mut look);
            ready!(Pin::new(&mut self.stream).poll_read(context, &mut more))?;
            if more.filled().is_empty() {
                return self.refuse(None);
            }
            verdict = self.gauge.take(more.filled());
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Either<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Either<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Gauged<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
