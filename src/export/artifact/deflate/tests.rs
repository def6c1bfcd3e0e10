#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;

use proptest::prelude::*;

use super::*;

fn inflate(deflated: &[u8]) -> Vec<u8> {
    let mut decoder = flate2::bufread::DeflateDecoder::new(deflated);
    let mut bytes = Vec::new();
    decoder.read_to_end(&mut bytes).unwrap();
    assert_eq!(
        decoder.total_in(),
        deflated.len() as u64,
        "something follows the end"
    );
    bytes
}

/// Deflated in chunks of that size, with the history that fits.
fn deflated(bytes: &[u8], chunk: usize) -> Vec<u8> {
    let mut deflater = Deflater::default();
    let mut out = Vec::new();
    let mut at = 0;
    loop {
        let end = bytes.len().min(at + chunk);
        let history = at.min(32 * 1024);
        deflater.chunk(
            &bytes[at - history..end],
            history,
            end == bytes.len(),
            &mut out,
        );
        if end == bytes.len() {
            return out;
        }
        at = end;
    }
}

fn noise(bytes: usize) -> Vec<u8> {
    let mut state = 7_u64;
    let next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    std::iter::repeat_with(next).take(bytes).collect()
}

fn rows(count: u32) -> Vec<u8> {
    let row = |n: u32| {
        format!(
            r#"{{"created_at":"2026-11-{:02}T10:02:03.000Z","id":"{:032x}","status":"open"}},"#,
            n % 28 + 1,
            u128::from(n).pow(3) * 0x9e37_79b9_7f4a_7c15
        )
    };
    (0..count).flat_map(|n| row(n).into_bytes()).collect()
}

#[test]
fn what_is_deflated_inflates() {
    let alternating = [
        noise(200_000),
        vec![b'x'; 200_000],
        rows(3000),
        noise(70_000),
    ]
    .concat();
    for bytes in [
        Vec::new(),
        vec![0],
        vec![b'a'; 1_000_000],
        noise(300_000),
        rows(20_000),
        alternating,
        (0..=255).collect(),
        b"abcabcabcabcabcabcabcabcabc".to_vec(),
    ] {
        for chunk in [1 << 20, 256 * 1024, 40_000, 1000] {
            assert!(
                inflate(&deflated(&bytes, chunk)) == bytes,
                "{} in {chunk}",
                bytes.len()
            );
        }
    }
    assert_eq!(inflate(&deflated(b"xyz", 1)), b"xyz");
}

#[test]
fn noise_hardly_grows_and_rows_shrink() {
    assert!(deflated(&noise(1 << 20), 1 << 18).len() < (1 << 20) + 200);
    let rows = rows(20_000);
    assert!(deflated(&rows, 1 << 18).len() * 4 < rows.len());
    assert!(deflated(&vec![b'a'; 1 << 20], 1 << 18).len() < 1200);
}

#[test]
fn matches_reach_as_far_as_the_window_and_no_farther() {
    for distance in [32 * 1024 - 1, 32 * 1024, 32 * 1024 + 1] {
        let far = noise(distance);
        let bytes = [&far[..], &far[..5000]].concat();
        for chunk in [bytes.len(), distance] {
            assert!(inflate(&deflated(&bytes, chunk)) == bytes);
        }
    }
}

#[test]
fn what_was_deflated_before_is_not_seen() {
    let (one, other) = (rows(5000), noise(100_000));
    let mut used = Deflater::default();
    used.chunk(&other, 0, false, &mut Vec::new());
    let (mut again, mut afresh) = (Vec::new(), Vec::new());
    used.chunk(&one, 1000, true, &mut again);
    Deflater::default().chunk(&one, 1000, true, &mut afresh);
    assert!(again == afresh);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn anything_deflated_inflates(
        parts in proptest::collection::vec((proptest::collection::vec(prop_oneof![Just(b'a'), Just(b'"'), any::<u8>()], 0..300), 1_usize..300), 1..10),
        chunk in 1_usize..90_000,
    ) {
        let bytes: Vec<u8> = parts.into_iter().flat_map(|(part, times)| part.repeat(times)).collect();
        prop_assert!(inflate(&deflated(&bytes, chunk.max(bytes.len() / 50 + 1))) == bytes);
    }
}
