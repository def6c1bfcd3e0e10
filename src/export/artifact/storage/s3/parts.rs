//! How large the parts of an upload are.
//!
//! A bucket takes at most 10,000 parts of one object, each of 5 MiB to 5 GiB but for the last, and an upload doesn't know beforehand how much will
//! come. Parts of one size would either cap a file (10,000 of 5 MiB are 50 GB) or take memory that nearly no export needs. So they grow:
//!
//! | parts | of | the file so far | memory, at most |
//! |---|---|---|---|
//! | 1 to 2,000 | 8 MiB | 15.6 GiB | 32 MiB: one fills, three are under way |
//! | to 7,000 | 16 MiB | 93.7 GiB | 32 MiB: one fills, one is under way |
//! | to 8,000 | 32 MiB | 125 GiB | 32 MiB: filled and sent in turn |
//! | to 8,500 | 128 MiB | 187.5 GiB | 128 MiB |
//! | to 9,000 | 1 GiB | 687.5 GiB | 1 GiB |
//! | to 9,500 | 4 GiB | 2.6 TiB | 4 GiB |
//! | to 10,000 | 5 GiB | 5.07 TiB | 5 GiB |
//!
//! Up to 125 GiB of stored, that is compressed, file an export keeps within its memory; storing overlaps with producing up to 93.7 GiB.

/// The most parts of one object.
pub(super) const MAX_PARTS: usize = 10_000;

/// What the parts of one upload may hold in memory, filling and under way, unless a single one is larger.
pub(in crate::export::artifact::storage) const BUFFER_BYTES: u64 = 32 * MIB;

const MIB: u64 = 1024 * 1024;

/// Up to which part parts are how large.
const SCHEDULE: [(usize, u64); 7] = [
    (2_000, 8 * MIB),
    (7_000, 16 * MIB),
    (8_000, 32 * MIB),
    (8_500, 128 * MIB),
    (9_000, 1024 * MIB),
    (9_500, 4096 * MIB),
    (MAX_PARTS, 5120 * MIB),
];

/// Size of the part that follows this many; `None`: there may be no more.
pub(in crate::export::artifact::storage) fn part_bytes(sent: usize) -> Option<u64> {
    let step = SCHEDULE.iter().find(|(until, _)| sent < *until);
    step.map(|(_, bytes)| *bytes)
}

/// Whether a part of `next` bytes may be filled while this many bytes are under way.
pub(super) fn fits(under_way: u64, next: u64) -> bool {
    under_way == 0 || under_way + next <= BUFFER_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIB: u64 = 1024 * MIB;
    const TIB: u64 = 1024 * GIB;

    /// Every part of the largest file: how many were sent before, how many bytes, its size.
    fn parts() -> impl Iterator<Item = (usize, u64, u64)> {
        (0..)
            .map_while(|sent| part_bytes(sent).map(|bytes| (sent, bytes)))
            .scan(0, |before, (sent, bytes)| {
                let this = (sent, *before, bytes);
                *before += bytes;
                Some(this)
            })
    }

    #[test]
    fn ten_thousand_parts_reach_five_tebibytes_and_no_part_is_refused() {
        let last = parts()
            .last()
            .map(|(sent, before, bytes)| (sent + 1, before + bytes));
        assert!(
            matches!(last, Some((MAX_PARTS, total)) if total >= 5 * TIB),
            "{last:?}"
        );
        assert_eq!(part_bytes(MAX_PARTS), None);
        assert!(parts().all(|(.., bytes)| (5 * MIB..=5 * GIB).contains(&bytes)));
    }

    #[test]
    fn parts_never_shrink() {
        let sizes: Vec<_> = parts().map(|(.., bytes)| bytes).collect();
        assert!(sizes.is_sorted());
    }

    /// What an upload holds while a part fills: that part, and what may be under way beside it.
    #[test]
    fn the_buffer_holds_up_to_a_hundred_and_twenty_five_gibibytes() {
        for (sent, before, bytes) in parts().filter(|(_, before, _)| *before < 125 * GIB) {
            assert!(
                bytes <= BUFFER_BYTES,
                "part {} after {before} bytes",
                sent + 1
            );
            let mut under_way = 0;
            while fits(under_way, bytes) {
                under_way += bytes;
            }
            // The one that no longer fitted waits until others are through.
            assert!(under_way <= BUFFER_BYTES, "part {}", sent + 1);
        }
    }

    #[test]
    fn storing_overlaps_with_producing_up_to_ninety_three_gibibytes() {
        for (sent, _, bytes) in parts().filter(|(_, before, _)| *before < 93 * GIB) {
            assert!(fits(bytes, bytes), "part {}", sent + 1);
        }
    }
}
