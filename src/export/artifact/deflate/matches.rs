//! Finding repetitions (LZ77) within 32 KiB: one candidate per hash, taken greedily after one look ahead.
//!
//! Rows decide what is worth doing. Keys, punctuation and dates repeat from the row before, so the latest candidate is nearly always the best.
//! Identifiers and digests don't repeat, and short chance matches in them cost more than the digits do: where nothing has matched for a while, positions are
//! skipped, more and more of them, and a match found late is extended backwards.

use std::ops::Range;

use super::symbols::MAX_MATCH;

/// The farthest a match may be.
const WINDOW: usize = 32 * 1024;

/// The shortest match worth its distance.
const MIN_MATCH: u32 = 5;

/// log2 of the number of hashes: a table of 128 KiB, for the second-level cache.
const HASH_BITS: u32 = 15;

/// A longer match is taken without a look ahead.
const LONG_ENOUGH: usize = 32;

/// Bytes skipped grow by one with so many (as a power of two) that didn't match.
const PATIENCE: u32 = 2;

/// Every so many positions of the history are remembered.
const HISTORY_STEP: usize = 3;

/// Bytes before the end of a block in which no match is begun: words are read whole.
const TAIL: usize = 16;

/// The most sequences of a block.
const MAX_SEQUENCES: usize = 16 * 1024;

/// Positions are stored with this added, so that the empty entry, 0, is beyond the window of all.
const OFFSET: usize = WINDOW + 1;

/// Literals, then a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    /// Bytes that stand for themselves.
    pub(super) literals: u32,
    /// Bytes that repeat.
    pub(super) length: u16,
    /// How far back they are, less one.
    pub(super) distance: u16,
}

/// The last position of each hash.
pub(super) struct Finder {
    table: Box<[u32; 1 << HASH_BITS]>,
}

/// A candidate that may match: where, and how the word there differs.
struct Candidate {
    at: usize,
    difference: u64,
}

impl Finder {
    pub(super) fn new() -> Self {
        Self {
            table: Box::new([0; 1 << HASH_BITS]),
        }
    }

    /// Begins a chunk: forgets the last one and remembers this one's history.
    pub(super) fn begin(&mut self, bytes: &[u8], history: usize) {
        self.table.fill(0);
        for at in (0..history.saturating_sub(TAIL)).step_by(HISTORY_STEP) {
            self.remember(at, hash(word(bytes, at)));
        }
    }

    /// Appends the sequences of a block that begins with `range` and says where it ends: at the range's end (what comes after the last sequence
    /// is literals), or sooner when there are enough.
    pub(super) fn find(
        &mut self,
        bytes: &[u8],
        range: Range<usize>,
        sequences: &mut Vec<Sequence>,
    ) -> usize {
        let bytes = &bytes[..range.end];
        let stop = range.end.saturating_sub(TAIL);
        let mut anchor = range.start;
        let mut at = range.start;
        while at < stop {
            // Two positions at once: their loads don't wait for each other.
            let (first, second) = (word(bytes, at), word(bytes, at + 1));
            let (first_candidate, second_candidate) =
                (self.candidate(at, first), self.candidate(at + 1, second));
            let found = if let Some(found) = check(bytes, at, first, first_candidate) {
                found
            } else if let Some(found) = check(bytes, at + 1, second, second_candidate) {
                at += 1;
                found
            } else {
                at += 2 + ((at - anchor) >> PATIENCE);
                continue;
            };
            let (mut from, mut length) = (found.at, length(bytes, at, &found));
            if length < LONG_ENOUGH {
                let next = word(bytes, at + 1);
                let candidate = self.candidate(at + 1, next);
                if let Some(found) = check(bytes, at + 1, next, candidate) {
                    let longer = self::length(bytes, at + 1, &found);
                    if longer > length + 1 {
                        (at, from, length) = (at + 1, found.at, longer);
                    }
                }
            }
            while at > anchor && from > 0 && length < MAX_MATCH && bytes[at - 1] == bytes[from - 1]
            {
                (at, from, length) = (at - 1, from - 1, length + 1);
            }
            sequences.push(Sequence {
                literals: (at - anchor) as u32,
                length: length as u16,
                distance: (at - from - 1) as u16,
            });
            anchor = at + length;
            if sequences.len() == MAX_SEQUENCES {
                return anchor;
            }
            if anchor < stop {
                for inside in [at + 2, anchor - 2] {
                    self.remember(inside, hash(word(bytes, inside)));
                }
            }
            at = anchor;
        }
        range.end
    }

    #[inline(always)]
    fn remember(&mut self, at: usize, hash: usize) {
        self.table[hash] = (at + OFFSET) as u32;
    }

    /// The last position of this word's hash, with [`OFFSET`]; this one takes its place.
    #[inline(always)]
    fn candidate(&mut self, at: usize, word: u64) -> usize {
        let hash = hash(word);
        let candidate = self.table[hash] as usize;
        self.remember(at, hash);
        candidate
    }
}

/// Whether a candidate is within the window, before this position, and matches far enough.
#[inline(always)]
fn check(bytes: &[u8], at: usize, here: u64, candidate: usize) -> Option<Candidate> {
    let distance = (at + OFFSET).wrapping_sub(candidate);
    if distance.wrapping_sub(1) >= WINDOW {
        return None;
    }
    let difference = word(bytes, at - distance) ^ here;
    (difference << (64 - 8 * MIN_MATCH) == 0).then_some(Candidate {
        at: at - distance,
        difference,
    })
}

/// How long a match is.
#[inline(always)]
fn length(bytes: &[u8], at: usize, candidate: &Candidate) -> usize {
    if candidate.difference != 0 {
        return (candidate.difference.trailing_zeros() / 8) as usize;
    }
    let max = MAX_MATCH.min(bytes.len() - at);
    let (here, there) = (
        &bytes[at..at + max],
        &bytes[candidate.at..candidate.at + max],
    );
    let mut length = 8;
    while length + 8 <= max {
        let difference = word(here, length) ^ word(there, length);
        if difference != 0 {
            return length + (difference.trailing_zeros() / 8) as usize;
        }
        length += 8;
    }
    while length < max && here[length] == there[length] {
        length += 1;
    }
    length
}

/// The eight bytes at this position, which are there.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|bytes| bytes.first_chunk())
        .map_or(0, |word| u64::from_le_bytes(*word))
}

/// A hash of a word's first [`MIN_MATCH`] bytes: Fibonacci hashing.
#[inline(always)]
fn hash(word: u64) -> usize {
    ((word << (64 - 8 * MIN_MATCH)).wrapping_mul(0x9e37_79b1_85eb_ca87) >> (64 - HASH_BITS))
        as usize
}
