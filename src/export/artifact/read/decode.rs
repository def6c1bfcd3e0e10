//! Decoding checked blocks into the document, piece by piece, at the reader's pace.
//!
//! Decoding runs on the blocking pool one piece at a time, so a slow reader holds memory for one piece and no thread.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use carnet_events::ids::Digest;
use flate2::{Crc, Decompress, FlushDecompress, Status};
use futures::{StreamExt, stream};
use zstd::stream::raw::{DParameter, Decoder as Zstd, Operation};

use super::{ByteStream, Damage, Published, ReadError};
use crate::export::artifact::Compression;
use crate::export::artifact::blocks::finished;
use crate::export::artifact::compress::{GZIP_HEADER, ZSTD_WINDOW_LOG};
use crate::export::artifact::storage::blocking;

/// Size of a piece of the document.
const PIECE_BYTES: usize = 256 * 1024;

/// The document in `stored`, checked as a whole before its last piece is passed on.
pub(super) fn document(stored: ByteStream, published: &Published) -> ByteStream {
    let expected = Expected {
        bytes: published.json_bytes,
        sha256: published.json_sha256,
    };
    let Ok(decoder) = Decoder::new(published.compression()) else {
        return stream::once(async { Err(Damage::Document.into()) }).boxed();
    };
    let state = State {
        stored,
        input: Bytes::new(),
        decoder,
        hash: Context::new(&SHA256),
        bytes: 0,
        held: Bytes::new(),
        expected,
    };
    stream::try_unfold(Some(state), |state| async move {
        match state {
            Some(state) => state.next().await,
            None => Ok(None),
        }
    })
    .boxed()
}

struct Expected {
    bytes: u64,
    sha256: Digest,
}

struct State {
    stored: ByteStream,
    input: Bytes,
    decoder: Decoder,
    hash: Context,
    bytes: u64,
    /// The last piece decoded: passed on when another follows, or the whole has been checked.
    held: Bytes,
    expected: Expected,
}

impl State {
    /// The next piece, and the state to go on from; no state after the last.
    async fn next(mut self) -> Result<Option<(Bytes, Option<Self>)>, ReadError> {
        loop {
            if self.input.is_empty() {
                match self.stored.next().await.transpose()? {
                    Some(block) => self.input = block,
                    None => return self.last(),
                }
            }
            let decoded;
            (self, decoded) = blocking(move || {
                let decoded = self.decode();
                Ok((self, decoded))
            })
            .await?;
            let piece = decoded?;
            if self.bytes > self.expected.bytes {
                return Err(Damage::Document.into());
            }
            if piece.is_empty() {
                continue;
            }
            let ready = std::mem::replace(&mut self.held, piece);
            if !ready.is_empty() {
                return Ok(Some((ready, Some(self))));
            }
        }
    }

    fn decode(&mut self) -> Result<Bytes, Damage> {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let taken = self
            .decoder
            .decode(&self.input, &mut piece)
            .ok_or(Damage::Document)?;
        self.input = self.input.slice(taken.min(self.input.len())..);
        self.hash.update(&piece);
        self.bytes += piece.len() as u64;
        Ok(piece.into())
    }

    fn last(self) -> Result<Option<(Bytes, Option<Self>)>, ReadError> {
        let whole = self.decoder.is_done()
            && self.bytes == self.expected.bytes
            && finished(self.hash) == self.expected.sha256;
        if whole {
            Ok(Some((self.held, None)))
        } else {
            Err(Damage::Document.into())
        }
    }
}

/// Undoes a compression, strictly: our header, one member or frame, nothing after it.
pub(crate) enum Decoder {
    /// Header still to come, then the deflate stream, then the trailer.
    Gzip(Box<Gzip>),
    /// One frame.
    Zstd { decoder: Zstd<'static>, done: bool },
    /// Nothing to undo.
    None,
}

/// A gzip member being decoded.
pub(crate) struct Gzip {
    /// Header bytes seen, then trailer bytes.
    header: usize,
    inflate: Decompress,
    deflate_done: bool,
    check: Crc,
    trailer: Vec<u8>,
}

impl Decoder {
    /// A decoder at the start of a file.
    pub(crate) fn new(compression: Compression) -> std::io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => Self::Gzip(Box::new(Gzip {
                header: 0,
                inflate: Decompress::new(false),
                deflate_done: false,
                check: Crc::new(),
                trailer: Vec::with_capacity(8),
            })),
            Compression::Zstd => {
                let mut decoder = Zstd::new()?;
                // A frame that asks for more memory than ours do is not ours.
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                Self::Zstd {
                    decoder,
                    done: false,
                }
            }
            Compression::None => Self::None,
        })
    }

    /// Decodes from `input` into the spare capacity of `out`; says how much input was used. `None`: not what our coder writes.
    pub(crate) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        match self {
            Self::Gzip(gzip) => gzip.decode(input, out),
            Self::Zstd { done: true, .. } => input.is_empty().then_some(0),
            Self::Zstd { decoder, done } => {
                let before = out.len();
                let room = out.capacity();
                out.resize(room, 0);
                let status = decoder.run_on_buffers(input, out.get_mut(before..)?).ok()?;
                out.truncate(before + status.bytes_written);
                *done = status.remaining == 0;
                Some(status.bytes_read)
            }
            Self::None => {
                let taken = input.len().min(out.capacity() - out.len());
                out.extend_from_slice(input.get(..taken)?);
                Some(taken)
            }
        }
    }

    /// Whether the file may end here.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.is_done(),
            Self::Zstd { done, .. } => *done,
            Self::None => true,
        }
    }
}

impl Gzip {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Option<usize> {
        let mut used = 0;
        while self.header < GZIP_HEADER.len() && used < input.len() {
            if input.get(used) != GZIP_HEADER.get(self.header) {
                return None;
            }
            self.header += 1;
            used += 1;
        }
        if self.header == GZIP_HEADER.len() && !self.deflate_done {
            let (before_in, before_out) = (self.inflate.total_in(), out.len());
            let status = self
                .inflate
                .decompress_vec(input.get(used..)?, out, FlushDecompress::None)
                .ok()?;
            used += usize::try_from(self.inflate.total_in() - before_in).ok()?;
            self.check.update(out.get(before_out..)?);
            self.deflate_done = status == Status::StreamEnd;
        }
        if self.deflate_done {
            let rest = input.get(used..)?;
            self.trailer
                .extend_from_slice(rest.get(..rest.len().min(9 - self.trailer.len().min(9)))?);
            // A ninth byte is one too many.
            if self.trailer.len() > 8 || (self.trailer.len() == 8 && !self.is_done()) {
                return None;
            }
            used = input.len();
        }
        Some(used)
    }

    fn is_done(&self) -> bool {
        self.deflate_done
            && self.trailer
                == [
                    self.check.sum().to_le_bytes(),
                    self.check.amount().to_le_bytes(),
                ]
                .concat()
    }
}
