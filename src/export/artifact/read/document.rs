//! Decoding checked blocks into the document, piece by piece, at the reader's pace.
//!
//! Decoding runs on the blocking pool one piece at a time, so a slow reader holds memory for one piece and no thread.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use carnet_events::ids::Digest;
use futures::{StreamExt, stream};

use super::{ByteStream, Damage, Published, ReadError};
use crate::export::artifact::blocks::finished;
use crate::export::artifact::decode::Decoder;
use crate::export::artifact::storage::blocking;

/// Size of a piece of the document.
const PIECE_BYTES: usize = 256 * 1024;

/// The document in `stored`, checked as a whole before its last piece is passed on.
pub(super) fn decoded(stored: ByteStream, published: &Published) -> ByteStream {
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
        pending: false,
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
    /// Whether the decoder may hold more than it gave.
    pending: bool,
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
            if self.input.is_empty() && !self.pending {
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
            .map_err(|_| Damage::Document)?;
        self.input = self.input.slice(taken.min(self.input.len())..);
        self.pending = piece.len() == piece.capacity();
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
