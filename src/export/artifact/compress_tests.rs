#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;

use proptest::prelude::*;

use super::*;

fn compressed(compression: Compression, threads: usize, document: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut emit = |bytes: Vec<u8>| {
        out.extend(bytes);
        Ok(())
    };
    let mut compressor = Compressor::new(compression, NonZeroUsize::new(threads).unwrap());
    let mut chunk = Chunk::default();
    let mut rest = document;
    let mut spare = Vec::new();
    while rest.len() > chunk.room() {
        let (now, later) = rest.split_at(chunk.room());
        chunk.buffer().extend_from_slice(now);
        spare = compressor.push(chunk.cut(spare), &mut emit).unwrap();
        rest = later;
    }
    chunk.buffer().extend_from_slice(rest);
    compressor.finish(chunk, &mut emit).unwrap();
    out
}

fn gunzip(gzip: &[u8]) -> Vec<u8> {
    // The single-member reader stops after the first: what it gives must be all.
    let mut decoder = flate2::bufread::GzDecoder::new(gzip);
    let mut out = Vec::new();
    decoder.read_to_end(&mut out).unwrap();
    assert!(decoder.into_inner().is_empty(), "more than one member");
    out
}

/// Text that compresses about as rows do, with runs, repeats and noise.
fn document(bytes: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut out = Vec::with_capacity(bytes + 100);
    while out.len() < bytes {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        out.extend(
            format!(
                r#"{{"id":"{state:016x}","n":{},"t":"{}"}},"#,
                out.len(),
                "ab".repeat((state >> 60) as usize)
            )
            .bytes(),
        );
    }
    out.truncate(bytes);
    out
}

#[test]
fn every_length_around_a_chunk_comes_back() {
    for bytes in [
        0,
        1,
        CHUNK_BYTES - 1,
        CHUNK_BYTES,
        CHUNK_BYTES + 1,
        2 * CHUNK_BYTES,
        3 * CHUNK_BYTES + 17,
    ] {
        let document = document(bytes);
        assert_eq!(
            gunzip(&compressed(Compression::Gzip, 2, &document)),
            document,
            "{bytes}"
        );
        assert_eq!(
            zstd::stream::decode_all(&compressed(Compression::Zstd, 2, &document)[..]).unwrap(),
            document,
            "{bytes}"
        );
        assert_eq!(
            compressed(Compression::None, 2, &document),
            document,
            "{bytes}"
        );
    }
}

#[test]
fn noise_and_runs_come_back() {
    let mut state = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(3 * CHUNK_BYTES)
    .collect();
    for document in [noise, vec![b'a'; 5 * CHUNK_BYTES]] {
        assert_eq!(
            gunzip(&compressed(Compression::Gzip, 3, &document)),
            document
        );
        assert_eq!(
            zstd::stream::decode_all(&compressed(Compression::Zstd, 1, &document)[..]).unwrap(),
            document
        );
    }
}

#[test]
fn threads_end_when_the_compressor_is_dropped() {
    let mut compressor = Compressor::new(Compression::Gzip, NonZeroUsize::new(4).unwrap());
    let mut chunk = Chunk::default();
    chunk.buffer().extend(document(CHUNK_BYTES));
    for _ in 0..5 {
        let full = chunk.cut(Vec::new());
        chunk.buffer().extend(document(CHUNK_BYTES));
        compressor.push(full, &mut |_| Ok(())).unwrap();
    }
    drop(compressor);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_document_comes_back(document in proptest::collection::vec(any::<u8>(), 0..70_000), repeat in 1_usize..12) {
        let document = document.repeat(repeat);
        prop_assert_eq!(gunzip(&compressed(Compression::Gzip, 2, &document)), document);
    }
}
