//! The document as the checker sees it: enough bytes ahead for any token, everything passed over hashed or kept.

use aws_lc_rs::digest::{Context, SHA256};

use super::source::{Source, Stored};
use super::{Checked, Finding, Reason, Stop, Within};

/// Bytes that are ahead of the checker unless the document ends sooner: more than the longest number, escape or character.
pub(super) const LOOKAHEAD: usize = 64;

/// A cursor over the document.
pub(super) struct Input<'a> {
    source: Source,
    progress: &'a mut dyn FnMut(u64),
    buffer: Vec<u8>,
    /// Next byte in the buffer.
    at: usize,
    /// How much of the buffer has been hashed or kept.
    taken: usize,
    /// Document bytes before the buffer.
    before: u64,
    ended: bool,
    hash: Context,
    /// While it is there, what is passed over goes into it and not into the hash.
    kept: Option<Vec<u8>>,
    max_kept: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(source: Source, progress: &'a mut dyn FnMut(u64)) -> Self {
        let hash = Context::new(&SHA256);
        Self {
            source,
            progress,
            buffer: Vec::new(),
            at: 0,
            taken: 0,
            before: 0,
            ended: false,
            hash,
            kept: None,
            max_kept: 0,
        }
    }

    /// Everything ahead that is in memory: at least [`LOOKAHEAD`] bytes, or all there is.
    pub(super) fn ahead(&mut self) -> Checked<&[u8]> {
        while self.buffer.len() - self.at < LOOKAHEAD && !self.ended {
            self.refill()?;
        }
        Ok(self.buffer.get(self.at..).unwrap_or_default())
    }

    fn refill(&mut self) -> Checked<()> {
        self.take()?;
        self.before += self.at as u64;
        self.buffer.drain(..self.at);
        (self.at, self.taken) = (0, 0);
        match self.source.next() {
            Some(piece) => {
                self.buffer.extend_from_slice(&piece.bytes);
                (self.progress)(piece.read);
                self.source.recycle(piece);
            }
            None => self.ended = true,
        }
        Ok(())
    }

    /// Hashes or keeps what has been passed over.
    fn take(&mut self) -> Checked<()> {
        let passed = self.buffer.get(self.taken..self.at).unwrap_or_default();
        match &mut self.kept {
            None => self.hash.update(passed),
            Some(kept) if kept.len() + passed.len() > self.max_kept => {
                return Err(self.found(Reason::Limit("the manifest is too long")));
            }
            Some(kept) => kept.extend_from_slice(passed),
        }
        self.taken = self.at;
        Ok(())
    }

    /// Passes over that many bytes, which must be ahead.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.at = (self.at + bytes).min(self.buffer.len());
    }

    /// The next byte; `None` at the end.
    pub(super) fn peek(&mut self) -> Checked<Option<u8>> {
        match self.buffer.get(self.at) {
            Some(&byte) => Ok(Some(byte)),
            None => Ok(self.ahead()?.first().copied()),
        }
    }

    /// Passes over `literal` if it is next.
    pub(super) fn eat(&mut self, literal: &[u8]) -> Checked<bool> {
        debug_assert!(literal.len() <= LOOKAHEAD);
        let there = self.ahead()?.starts_with(literal);
        if there {
            self.pass(literal.len());
        }
        Ok(there)
    }

    /// From here on what is passed over is kept, up to that many bytes. Gives the hash of everything before.
    pub(super) fn begin_keeping(&mut self, max: usize) -> Checked<Context> {
        self.take()?;
        self.kept = Some(Vec::new());
        self.max_kept = max;
        Ok(self.hash.clone())
    }

    /// What was kept.
    pub(super) fn end_keeping(&mut self) -> Checked<Vec<u8>> {
        self.take()?;
        Ok(self.kept.take().unwrap_or_default())
    }

    /// What the file came to, when the document has been passed over to its end.
    pub(super) fn end(mut self) -> Checked<Stored> {
        match self.peek()? {
            Some(_) => Err(self.found(Reason::Trailing)),
            None => self.source.end(),
        }
    }

    /// Why the document ends here: what its decoding stumbled on, or nothing but that it is short.
    pub(super) fn truncated(&mut self) -> Stop {
        match self.source.end() {
            Err(stop) => stop,
            Ok(_) => self.found(Reason::Truncated("document")),
        }
    }

    /// Document bytes passed over so far.
    pub(super) fn offset(&self) -> u64 {
        self.before + self.at as u64
    }

    /// A finding at the next byte.
    pub(super) fn found(&self, reason: Reason) -> Stop {
        Stop::Found(Finding {
            reason,
            offset: self.offset(),
            within: Within::Document,
        })
    }
}
