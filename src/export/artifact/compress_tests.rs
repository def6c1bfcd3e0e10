#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::export::artifact::chunk::CHUNK_BYTES;
use crate::export::artifact::pipeline::Pipeline;
use crate::export::artifact::writer::ArtifactSpec;
use crate::export::artifact::writer::tests::Kept;

fn compressed(compression: Compression, threads: usize, document: &[u8]) -> Vec<u8> {
    let kept = Kept::default();
    let (mut pipeline, mut chunk) = (pipeline(compression, threads, &kept), Chunk::default());
    let mut rest = document;
    let mut spare = Vec::new();
    while rest.len() > chunk.room() {
        let (now, later) = rest.split_at(chunk.room());
        chunk.append(now);
        spare = pipeline
            .push(chunk.cut(spare, compression.window()))
            .unwrap();
        rest = later;
    }
    chunk.append(rest);
    pipeline.finish(chunk).unwrap();
    kept.bytes()
}

fn pipeline(compression: Compression, threads: usize, kept: &Kept) -> Pipeline {
    let threads = NonZeroUsize::new(threads).unwrap();
    let spec = ArtifactSpec {
        compression,
        threads,
    };
    Pipeline::new(spec, Box::new(kept.clone()))
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
fn threads_end_and_the_file_is_discarded_when_the_pipeline_is_dropped() {
    let kept = Kept::default();
    let mut pipeline = pipeline(Compression::Gzip, 4, &kept);
    let mut chunk = Chunk::default();
    chunk.append(&document(CHUNK_BYTES));
    for _ in 0..5 {
        let full = chunk.cut(Vec::new(), WINDOW_BYTES);
        chunk.append(&document(CHUNK_BYTES));
        pipeline.push(full).unwrap();
    }
    drop(pipeline);
    assert!(!kept.is_committed());
    assert_eq!(kept.holders(), 1, "no thread holds the sink any more");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_document_comes_back(document in proptest::collection::vec(any::<u8>(), 0..70_000), repeat in 1_usize..12) {
        let document = document.repeat(repeat);
        prop_assert_eq!(gunzip(&compressed(Compression::Gzip, 2, &document)), document);
    }
}
