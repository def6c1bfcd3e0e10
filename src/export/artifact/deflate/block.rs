//! Spelling a block: with prefix codes made for it, or as it is.

use super::bits::Bits;
use super::huffman::{self, Code};
use super::matches::Sequence;
use super::symbols::{
    CODE_LENGTH_ORDER, DISTANCES, END, FIRST_LENGTH, LENGTHS, LITERALS_AND_LENGTHS, MAX_MATCH,
    distance,
};

/// The longest code for a literal, length or distance.
const MAX_CODE: u8 = 15;

/// The longest code for a code length.
const MAX_CODE_LENGTH_CODE: u8 = 7;

/// The most bytes of a stored block.
const MAX_STORED: usize = 65_535;

/// Bytes that the description of a block's codes can't exceed: 316 lengths of at most 14 bits, and their own.
const MAX_HEADER: usize = 640;

/// Code lengths of the two alphabets.
struct Lengths {
    literals: [u8; LITERALS_AND_LENGTHS],
    distances: [u8; DISTANCES],
}

/// Writes `bytes`, which are these sequences and then literals, as one block.
pub(super) fn write(bits: &mut Bits<'_>, bytes: &[u8], sequences: &[Sequence], last: bool) {
    let (literals, distances, extra_bits) = count(bytes, sequences);
    let mut lengths = Lengths {
        literals: [0; LITERALS_AND_LENGTHS],
        distances: [0; DISTANCES],
    };
    huffman::lengths(&literals, MAX_CODE, &mut lengths.literals);
    huffman::lengths(&distances, MAX_CODE, &mut lengths.distances);
    let cost = |counts: &[u32], lengths: &[u8]| {
        counts
            .iter()
            .zip(lengths)
            .map(|(&count, &length)| u64::from(count) * u64::from(length))
            .sum::<u64>()
    };
    let coded =
        (extra_bits + cost(&literals, &lengths.literals) + cost(&distances, &lengths.distances))
            / 8;
    if coded > bytes.len() as u64 {
        return store(bits, bytes, last);
    }
    bits.reserve(MAX_HEADER + coded as usize);
    // Compressed with dynamic codes.
    bits.put(u64::from(last) | 0b10 << 1, 3);
    bits.flush();
    describe(bits, &lengths);
    spell(bits, bytes, sequences, &lengths);
}

/// How often each symbol occurs, and the bits that are sent as they are.
fn count(
    bytes: &[u8],
    sequences: &[Sequence],
) -> ([u32; LITERALS_AND_LENGTHS], [u32; DISTANCES], u64) {
    let mut literals = [0; LITERALS_AND_LENGTHS];
    let mut distances = [0; DISTANCES];
    let mut extra_bits = 0;
    // Counted in turns, so that equal neighbours don't wait for each other.
    let mut turns = [[0_u32; 256]; 4];
    let mut count_run = |run: &[u8]| {
        let mut fours = run.chunks_exact(4);
        for four in &mut fours {
            for (turn, &byte) in turns.iter_mut().zip(four) {
                turn[usize::from(byte)] += 1;
            }
        }
        for (turn, &byte) in turns.iter_mut().zip(fours.remainder()) {
            turn[usize::from(byte)] += 1;
        }
    };
    let mut rest = bytes;
    for sequence in sequences {
        let (run, after) = rest.split_at(sequence.literals as usize);
        count_run(run);
        rest = &after[usize::from(sequence.length)..];
        let (length, distance) = (
            LENGTHS[usize::from(sequence.length)],
            distance(sequence.distance),
        );
        literals[FIRST_LENGTH + usize::from(length.symbol)] += 1;
        distances[usize::from(distance.symbol)] += 1;
        extra_bits += u64::from(length.extra_bits) + u64::from(distance.extra_bits);
    }
    count_run(rest);
    for (byte, count) in literals.iter_mut().take(256).enumerate() {
        *count = turns.iter().map(|turn| turn[byte]).sum();
    }
    literals[END] = 1;
    (literals, distances, extra_bits)
}

fn store(bits: &mut Bits<'_>, bytes: &[u8], last: bool) {
    let mut pieces = bytes.chunks(MAX_STORED).peekable();
    while let Some(piece) = pieces.next() {
        bits.reserve(16);
        bits.put(u64::from(last && pieces.peek().is_none()), 3);
        bits.align();
        let length = piece.len() as u64;
        bits.put(length | (length ^ 0xffff) << 16, 32);
        bits.flush();
        bits.bytes(piece);
    }
}

/// Describes the codes: their lengths, run-length coded (RFC 1951, 3.2.7).
fn describe(bits: &mut Bits<'_>, lengths: &Lengths) {
    let used = |lengths: &[u8], least: usize| {
        lengths
            .iter()
            .rposition(|&length| length > 0)
            .map_or(least, |last| least.max(last + 1))
    };
    let (literals, distances) = (
        used(&lengths.literals, FIRST_LENGTH),
        used(&lengths.distances, 1),
    );
    let runs = runs(
        lengths
            .literals
            .iter()
            .take(literals)
            .chain(lengths.distances.iter().take(distances))
            .copied(),
    );
    let mut counts = [0; CODE_LENGTH_ORDER.len()];
    for run in &runs {
        counts[usize::from(run.symbol)] += 1;
    }
    let mut own = [0; CODE_LENGTH_ORDER.len()];
    huffman::lengths(&counts, MAX_CODE_LENGTH_CODE, &mut own);
    let sent = CODE_LENGTH_ORDER
        .iter()
        .rposition(|&symbol| own[symbol] > 0)
        .map_or(4, |last| 4.max(last + 1));
    bits.put((literals - FIRST_LENGTH) as u64, 5);
    bits.put((distances - 1) as u64, 5);
    bits.put((sent - 4) as u64, 4);
    for &symbol in CODE_LENGTH_ORDER.iter().take(sent) {
        bits.flush();
        bits.put(u64::from(own[symbol]), 3);
    }
    let codes = huffman::codes(&own);
    for run in runs {
        bits.flush();
        put(bits, codes[usize::from(run.symbol)]);
        bits.put(u64::from(run.extra), u32::from(run.extra_bits));
    }
    bits.flush();
}

/// One code length, or a run of equal ones.
struct Run {
    symbol: u8,
    extra: u8,
    extra_bits: u8,
}

fn runs(lengths: impl Iterator<Item = u8>) -> Vec<Run> {
    let lengths: Vec<u8> = lengths.collect();
    let mut runs = Vec::with_capacity(lengths.len());
    for equal in lengths.chunk_by(|a, b| a == b) {
        let length = equal[0];
        let mut count = equal.len();
        if length > 0 {
            // The first stands for itself; what follows may repeat it.
            runs.push(Run {
                symbol: length,
                extra: 0,
                extra_bits: 0,
            });
            count -= 1;
        }
        while count >= 3 {
            let (symbol, least, most, extra_bits) = match (length, count) {
                (0, 11..) => (18, 11, 138, 7),
                (0, _) => (17, 3, 10, 3),
                (_, _) => (16, 3, 6, 2),
            };
            let now = count.min(most);
            runs.push(Run {
                symbol,
                extra: (now - least) as u8,
                extra_bits,
            });
            count -= now;
        }
        runs.extend((0..count).map(|_| Run {
            symbol: length,
            extra: 0,
            extra_bits: 0,
        }));
    }
    runs
}

fn spell(bits: &mut Bits<'_>, bytes: &[u8], sequences: &[Sequence], lengths: &Lengths) {
    let literals = huffman::codes(&lengths.literals);
    let distances = huffman::codes(&lengths.distances);
    // A length's code and its extra bits in one.
    let mut whole_lengths = [(0_u32, 0_u32); MAX_MATCH + 1];
    for (whole, spelling) in whole_lengths.iter_mut().zip(&LENGTHS) {
        let code = literals[FIRST_LENGTH + usize::from(spelling.symbol)];
        *whole = (
            u32::from(code.bits) | u32::from(spelling.extra) << code.length,
            u32::from(code.length + spelling.extra_bits),
        );
    }
    let mut rest = bytes;
    for sequence in sequences {
        let (run, after) = rest.split_at(sequence.literals as usize);
        rest = &after[usize::from(sequence.length)..];
        spell_literals(bits, run, &literals);
        let (whole, length) = whole_lengths[usize::from(sequence.length)];
        bits.put(u64::from(whole), length);
        let distance = distance(sequence.distance);
        put(bits, distances[usize::from(distance.symbol)]);
        bits.put(u64::from(distance.extra), u32::from(distance.extra_bits));
        bits.flush();
    }
    spell_literals(bits, rest, &literals);
    put(bits, literals[END]);
    bits.flush();
}

#[inline(always)]
fn spell_literals(bits: &mut Bits<'_>, run: &[u8], codes: &[Code; LITERALS_AND_LENGTHS]) {
    // Three codes of 15 bits, and 7 that are pending, are less than 56.
    let mut threes = run.chunks_exact(3);
    for three in &mut threes {
        for &byte in three {
            put(bits, codes[usize::from(byte)]);
        }
        bits.flush();
    }
    for &byte in threes.remainder() {
        put(bits, codes[usize::from(byte)]);
    }
    bits.flush();
}

#[inline(always)]
fn put(bits: &mut Bits<'_>, code: Code) {
    bits.put(u64::from(code.bits), u32::from(code.length));
}
