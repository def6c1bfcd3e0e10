//! Prefix codes of bounded length (RFC 1951, 3.2.2).

/// A symbol's code, bit-reversed as deflate sends it, and its length in bits; length 0: the symbol has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Code {
    pub(super) bits: u16,
    pub(super) length: u8,
}

/// Lengths of an optimal prefix code for these frequencies, none longer than `limit`.
///
/// Symbols that don't occur get no code. At least two get one, so that the code is complete, as some decoders demand.
pub(super) fn lengths(frequencies: &[u32], limit: u8, lengths: &mut [u8]) {
    lengths.fill(0);
    let mut used: Vec<(u32, u16)> = frequencies
        .iter()
        .zip(0..)
        .filter(|(frequency, _)| **frequency > 0)
        .map(|(&frequency, symbol)| (frequency, symbol))
        .collect();
    for symbol in 0..2 {
        if used.len() < 2 && used.iter().all(|&(_, other)| other != symbol) {
            used.push((1, symbol));
        }
    }
    used.sort_unstable();
    let mut depths = depths(&used);
    limit_depths(&mut depths, limit);
    for (&(_, symbol), depth) in used.iter().zip(depths) {
        if let Some(length) = lengths.get_mut(usize::from(symbol)) {
            *length = depth;
        }
    }
}

/// Depths in Huffman's tree of leaves that are sorted by weight: the two-queue method.
fn depths(leaves: &[(u32, u16)]) -> Vec<u8> {
    let count = leaves.len();
    // Nodes: the leaves, then the inner ones as they are made, which is by weight too.
    let mut weights: Vec<u64> = leaves
        .iter()
        .map(|&(weight, _)| u64::from(weight))
        .collect();
    let mut parents = vec![0_usize; 2 * count];
    let (mut leaf, mut inner) = (0, count);
    while weights.len() < 2 * count - 1 {
        let made = weights.len();
        let mut weight = 0;
        for _ in 0..2 {
            let leaf_weight = if leaf < count {
                weights.get(leaf)
            } else {
                None
            };
            let inner_weight = weights.get(inner);
            let lightest = match (leaf_weight, inner_weight) {
                (Some(a), Some(b)) if a <= b => &mut leaf,
                (Some(_), None) => &mut leaf,
                _ => &mut inner,
            };
            weight += weights.get(*lightest).copied().unwrap_or_default();
            if let Some(parent) = parents.get_mut(*lightest) {
                *parent = made;
            }
            *lightest += 1;
        }
        weights.push(weight);
    }
    let mut depths = vec![0_u8; 2 * count];
    for node in (0..2 * count - 2).rev() {
        depths[node] = depths[parents[node]].saturating_add(1);
    }
    depths.truncate(count);
    depths
}

/// Shortens codes that are too long and lengthens others until all fit again (the Kraft sum is at most one), rarest first.
fn limit_depths(depths: &mut [u8], limit: u8) {
    let unit = |depth: u8| 1_u64 << (limit - depth);
    let mut sum = 0;
    for depth in depths.iter_mut() {
        *depth = (*depth).min(limit);
        sum += unit(*depth);
    }
    let whole = 1_u64 << limit;
    while sum > whole {
        // The rarest symbol that can still be lengthened gives half of its share away.
        let Some(depth) = depths.iter_mut().find(|depth| **depth < limit) else {
            return;
        };
        sum -= unit(*depth) / 2;
        *depth += 1;
    }
    // What is left over goes to the most frequent that it suffices for.
    for depth in depths.iter_mut().rev() {
        while *depth > 1 && sum + unit(*depth) <= whole {
            sum += unit(*depth);
            *depth -= 1;
        }
    }
}

/// The codes that go with these lengths.
pub(super) fn codes<const SYMBOLS: usize>(lengths: &[u8; SYMBOLS]) -> [Code; SYMBOLS] {
    let mut counts = [0_u16; 16];
    for &length in lengths.iter().filter(|length| **length > 0) {
        counts[usize::from(length)] += 1;
    }
    let mut next = [0_u16; 16];
    for length in 1..16 {
        next[length] = (next[length - 1] + counts[length - 1]) << 1;
    }
    lengths.map(|length| {
        if length == 0 {
            return Code::default();
        }
        let bits = next[usize::from(length)];
        next[usize::from(length)] += 1;
        Code {
            bits: bits.reverse_bits() >> (16 - u32::from(length)),
            length,
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        // The example of RFC 1951, 3.2.2.
        let codes = codes(&[3, 3, 3, 3, 3, 2, 4, 4]);
        let written = codes.map(|code| {
            format!(
                "{:0width$b}",
                code.bits.reverse_bits() >> (16 - u16::from(code.length)),
                width = usize::from(code.length)
            )
        });
        assert_eq!(
            written,
            ["010", "011", "100", "101", "110", "00", "1110", "1111"]
        );
    }

    #[test]
    fn lengths_are_optimal_where_the_limit_allows() {
        let mut found = [0; 6];
        lengths(&[45, 13, 12, 16, 9, 5], 15, &mut found);
        assert_eq!(found, [1, 3, 3, 3, 4, 4]);
        lengths(&[0, 0, 0, 0, 7, 0], 15, &mut found);
        assert_eq!(found, [1, 0, 0, 0, 1, 0]);
        lengths(&[0; 6], 15, &mut found);
        assert_eq!(found, [1, 1, 0, 0, 0, 0]);
    }

    proptest! {
        #[test]
        fn codes_are_complete_and_within_the_limit(exponents in proptest::collection::vec(0_u32..31, 19), limit in 5_u8..16) {
            let frequencies: Vec<u32> = exponents.iter().map(|exponent| (1_u32 << exponent) >> 1).collect();
            let mut found = [0; 19];
            lengths(&frequencies, limit, &mut found);
            let sum: u64 = found.iter().filter(|length| **length > 0).map(|&length| 1 << (limit - length)).sum();
            prop_assert_eq!(sum, 1 << limit);
            prop_assert!(frequencies.iter().zip(found).all(|(frequency, length)| *frequency == 0 || length > 0));
        }
    }
}
