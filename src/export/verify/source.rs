//! The thread that reads the file and undoes its compression.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use aws_lc_rs::digest::{Context, SHA256};
use carnet_events::ids::Digest;

use super::{Checked, Finding, Limits, Reason, Stop, Within};
use crate::export::artifact::Compression;
use crate::export::artifact::blocks::finished;
use crate::export::artifact::decode::Decoder;

/// Size of a read and of a piece of the document.
const PIECE_BYTES: usize = 256 * 1024;

/// Pieces decoded ahead of the check.
const AHEAD: usize = 3;

/// A piece of the document, and how much of the file had been read by then.
pub(super) struct Piece {
    pub(super) bytes: Vec<u8>,
    pub(super) read: u64,
}

/// What the file as such came to.
pub(super) struct Stored {
    pub(super) compression: Compression,
    pub(super) bytes: u64,
    pub(super) sha256: Digest,
}

/// The document, piece by piece. The thread behind it ends, and is waited for, when this is dropped.
pub(super) struct Source {
    pieces: Option<Receiver<Piece>>,
    spent: SyncSender<Vec<u8>>,
    thread: Option<JoinHandle<Checked<Stored>>>,
}

impl Source {
    pub(super) fn start(file: Box<dyn Read + Send>, limits: Limits) -> Checked<Self> {
        let (send, pieces) = sync_channel(AHEAD);
        let (spent, empty) = sync_channel(AHEAD + 2);
        let run = move || {
            Decoding {
                file,
                limits,
                send,
                empty,
                hash: Context::new(&SHA256),
                read: 0,
                decoded: 0,
            }
            .run()
        };
        let thread = std::thread::Builder::new()
            .name("decode".to_owned())
            .spawn(run)
            .map_err(Stop::Io)?;
        Ok(Self {
            pieces: Some(pieces),
            spent,
            thread: Some(thread),
        })
    }

    /// The next piece; `None` after the last, or when [`Self::end`] says why there is no other.
    pub(super) fn next(&mut self) -> Option<Piece> {
        self.pieces.as_ref()?.recv().ok()
    }

    /// Gives a piece's memory back.
    pub(super) fn recycle(&mut self, piece: Piece) {
        // Full means that there is enough of it.
        let _ = self.spent.try_send(piece.bytes);
    }

    /// What the file came to, once there are no more pieces.
    pub(super) fn end(&mut self) -> Checked<Stored> {
        self.pieces = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(end)) => end,
            Some(Err(_)) | None => Err(Stop::Io(io::Error::other(
                "the decoding thread ended early",
            ))),
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        self.pieces = None;
        if let Some(thread) = self.thread.take() {
            // What it would say no longer matters.
            let _ = thread.join();
        }
    }
}

struct Decoding {
    file: Box<dyn Read + Send>,
    limits: Limits,
    send: SyncSender<Piece>,
    empty: Receiver<Vec<u8>>,
    hash: Context,
    read: u64,
    decoded: u64,
}

impl Decoding {
    fn run(mut self) -> Checked<Stored> {
        let mut buffer = vec![0; PIECE_BYTES];
        let mut filled = self.fill(&mut buffer)?;
        let compression = match buffer.get(..filled).unwrap_or_default() {
            [] => return Err(self.found(Reason::Truncated("file"))),
            [0x1f, 0x8b, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Compression::Zstd,
            [b'{', ..] => Compression::None,
            _ => return Err(self.at(0, Reason::UnknownFormat)),
        };
        let mut decoder = Decoder::new(compression).map_err(Stop::Io)?;
        while filled > 0 {
            self.decode(&mut decoder, buffer.get(..filled).unwrap_or_default())?;
            filled = self.fill(&mut buffer)?;
        }
        self.decode(&mut decoder, &[])?;
        if !decoder.is_done() {
            return Err(self.found(Reason::Truncated("file")));
        }
        Ok(Stored {
            compression,
            bytes: self.read,
            sha256: finished(self.hash),
        })
    }

    fn fill(&mut self, buffer: &mut [u8]) -> Checked<usize> {
        loop {
            match self.file.read(buffer) {
                Ok(filled) => {
                    self.hash.update(buffer.get(..filled).unwrap_or_default());
                    self.read += filled as u64;
                    return Ok(filled);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Stop::Io(error)),
            }
        }
    }

    /// Decodes all of `input` and whatever the decoder still holds.
    fn decode(&mut self, decoder: &mut Decoder, mut input: &[u8]) -> Checked<()> {
        loop {
            let mut bytes = self
                .empty
                .try_recv()
                .unwrap_or_else(|_| Vec::with_capacity(PIECE_BYTES));
            bytes.clear();
            let used = match decoder.decode(input, &mut bytes) {
                Ok(used) => used,
                Err(error) => {
                    let place = decoder.position();
                    let place = place.unwrap_or(self.read - input.len() as u64);
                    return Err(self.at(place, Reason::Coding(error)));
                }
            };
            input = input.get(used..).unwrap_or_default();
            self.decoded += bytes.len() as u64;
            if self.decoded > self.limits.ratio_from
                && self.decoded / self.limits.ratio > self.read - input.len() as u64
            {
                return Err(self.found(Reason::Bomb));
            }
            let full = bytes.len() == bytes.capacity();
            if !bytes.is_empty()
                && self
                    .send
                    .send(Piece {
                        bytes,
                        read: self.read,
                    })
                    .is_err()
            {
                // The check has found something and doesn't want the rest.
                return Err(self.found(Reason::Truncated("file")));
            }
            if input.is_empty() && !full {
                return Ok(());
            }
        }
    }

    fn found(&self, reason: Reason) -> Stop {
        self.at(self.read, reason)
    }

    fn at(&self, offset: u64, reason: Reason) -> Stop {
        Stop::Found(Finding {
            reason,
            offset,
            within: Within::File,
        })
    }
}
