//! The alphabets of RFC 1951, 3.2.5 and 3.2.7.

/// Literals, the end of a block, and lengths.
pub(super) const LITERALS_AND_LENGTHS: usize = 286;

/// Distances.
pub(super) const DISTANCES: usize = 30;

/// The symbol that ends a block.
pub(super) const END: usize = 256;

/// The symbol of the shortest length.
pub(super) const FIRST_LENGTH: usize = 257;

/// The longest match.
pub(super) const MAX_MATCH: usize = 258;

/// The code lengths' own alphabet, in the order its lengths are sent.
pub(super) const CODE_LENGTH_ORDER: [usize; 19] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

const LENGTH_BASES: [u16; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];
const LENGTH_EXTRA: [u8; 29] = [
    0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0,
];

/// How a length or distance is spelt: a symbol, then some bits as they are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Spelling {
    pub(super) symbol: u16,
    pub(super) extra: u16,
    pub(super) extra_bits: u8,
}

/// Every match length's spelling, its symbol counted from [`FIRST_LENGTH`].
pub(super) static LENGTHS: [Spelling; MAX_MATCH + 1] = lengths();

const fn lengths() -> [Spelling; MAX_MATCH + 1] {
    let mut spellings = [Spelling {
        symbol: 0,
        extra: 0,
        extra_bits: 0,
    }; MAX_MATCH + 1];
    let mut symbol = 0;
    while symbol < LENGTH_BASES.len() {
        let base = LENGTH_BASES[symbol] as usize;
        let mut extra = 0;
        // Later symbols overwrite: 258 has one of its own, although the one before could spell it too.
        while extra < 1 << LENGTH_EXTRA[symbol] && base + extra <= MAX_MATCH {
            spellings[base + extra] = Spelling {
                symbol: symbol as u16,
                extra: extra as u16,
                extra_bits: LENGTH_EXTRA[symbol],
            };
            extra += 1;
        }
        symbol += 1;
    }
    spellings
}

/// The spelling of a distance, given less one.
#[inline]
pub(super) fn distance(less_one: u16) -> Spelling {
    if less_one < 4 {
        return Spelling {
            symbol: less_one,
            extra: 0,
            extra_bits: 0,
        };
    }
    // Two symbols per power of two; the bits below the second highest are sent as they are.
    let high = 15 - less_one.leading_zeros() as u16;
    let extra_bits = high - 1;
    let symbol = 2 * high + ((less_one >> extra_bits) & 1);
    Spelling {
        symbol,
        extra: less_one & ((1 << extra_bits) - 1),
        extra_bits: extra_bits as u8,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_those_of_the_standard() {
        let length = |length: usize| {
            (
                LENGTHS[length].symbol as usize + FIRST_LENGTH,
                LENGTHS[length].extra_bits,
                LENGTHS[length].extra,
            )
        };
        assert_eq!(
            [length(3), length(10), length(11), length(12)],
            [(257, 0, 0), (264, 0, 0), (265, 1, 0), (265, 1, 1)]
        );
        assert_eq!(
            [length(130), length(131), length(257), length(258)],
            [(280, 4, 15), (281, 5, 0), (284, 5, 30), (285, 0, 0)]
        );
        let far = |far: u32| {
            (
                distance((far - 1) as u16).symbol,
                distance((far - 1) as u16).extra_bits,
                distance((far - 1) as u16).extra,
            )
        };
        assert_eq!(
            [far(1), far(4), far(5), far(6), far(7)],
            [(0, 0, 0), (3, 0, 0), (4, 1, 0), (4, 1, 1), (5, 1, 0)]
        );
        assert_eq!(
            [far(16_385), far(24_576), far(24_577), far(32_768)],
            [(28, 13, 0), (28, 13, 8191), (29, 13, 0), (29, 13, 8191)]
        );
    }
}
