#![allow(clippy::unwrap_used, reason = "tests")]

use std::sync::{Arc, Mutex};

use carnet_events::ids::Digest;

use super::*;
use crate::export::artifact::manifest::tests::sample;

/// A sink that keeps what it is given.
#[derive(Clone, Default)]
pub(crate) struct Kept(Arc<Mutex<Stored>>);

#[derive(Default)]
struct Stored {
    bytes: Vec<u8>,
    committed: bool,
}

impl BlockSink for Kept {
    fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.0.lock().unwrap().bytes.extend_from_slice(&bytes);
        Ok(())
    }

    fn commit(self: Box<Self>, sidecar: Option<Bytes>) -> Result<(), StorageError> {
        self.0.lock().unwrap().committed = true;
        drop(sidecar);
        Ok(())
    }
}

/// A small artifact: its stored bytes and what its writer said.
pub(crate) fn small(compression: Compression) -> (Vec<u8>, Finished) {
    write(compression, 1, 0)
}

/// An artifact whose category `users` has that many more rows.
pub(crate) fn write(compression: Compression, threads: usize, more: u64) -> (Vec<u8>, Finished) {
    let kept = Kept::default();
    let mut writer = begin(compression, threads, &kept);
    writer.begin_category("users").unwrap();
    writer
        .row(r#"{"a":1,"b":[null,true,"x\n€"],"€":-1.5e-7}"#.as_bytes())
        .unwrap();
    writer.rows(br#"{},{"n":"'=1+1"}"#, 2).unwrap();
    for n in 0..more {
        writer
            .row(
                format!(
                    r#"{{"id":"{:032x}","n":{n},"note":"row {n} of many"}}"#,
                    u128::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835)
                )
                .as_bytes(),
            )
            .unwrap();
    }
    writer.end_category().unwrap();
    for (id, rows) in [("\u{1F600}", 0), ("\u{FB33}", 1)] {
        writer.begin_category(id).unwrap();
        (0..rows).for_each(|_| writer.row(b"{\"only\":\"row\"}").unwrap());
        writer.end_category().unwrap();
    }
    let mut manifest = sample();
    manifest.categories.get_mut(&"users".into()).unwrap().rows = 3 + more;
    let finished = writer.finish(manifest).unwrap();
    let kept = kept.0.lock().unwrap();
    assert!(kept.committed);
    (kept.bytes.clone(), finished)
}

fn begin(compression: Compression, threads: usize, kept: &Kept) -> ArtifactWriter {
    ArtifactWriter::begin(
        ArtifactSpec {
            compression,
            threads: NonZeroUsize::new(threads).unwrap(),
        },
        Box::new(kept.clone()),
    )
    .unwrap()
}

#[test]
fn the_document_is_canonical_and_its_checksum_is_that_of_the_blanked_one() {
    let (stored, finished) = small(Compression::None);
    assert_eq!(
        (finished.json_bytes, finished.json_sha256),
        (stored.len() as u64, Digest::of(&stored))
    );
    assert_eq!(
        (finished.stored_bytes, finished.stored_sha256),
        (stored.len() as u64, Digest::of(&stored))
    );

    let mut document: serde_json::Value = serde_json::from_slice(&stored).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&document).unwrap(), stored);
    let checksum = document["manifest"]["checksum"].take();
    document["manifest"]["checksum"] = "".into();
    assert_eq!(
        checksum,
        Digest::of(&serde_json_canonicalizer::to_vec(&document).unwrap()).to_string()
    );
    assert_eq!(checksum, finished.checksum.to_string());
    assert_eq!(
        finished.rows.values().copied().collect::<Vec<_>>(),
        [3, 0, 1]
    );
}

#[test]
fn an_empty_document_is_a_document() {
    let kept = Kept::default();
    let mut manifest = sample();
    manifest.categories.clear();
    begin(Compression::None, 1, &kept).finish(manifest).unwrap();
    assert!(
        kept.0
            .lock()
            .unwrap()
            .bytes
            .starts_with(br#"{"data":{},"manifest":{"attempt":1,"#)
    );
}

#[test]
fn calls_out_of_order_are_refused() {
    let order = |result: Result<(), ArtifactError>| {
        assert!(
            matches!(result, Err(ArtifactError::Order { .. })),
            "{result:?}"
        )
    };
    let kept = Kept::default();
    let mut writer = begin(Compression::None, 1, &kept);
    order(writer.row(b"{}"));
    order(writer.end_category());
    writer.begin_category("b").unwrap();
    order(writer.begin_category("c"));
    writer.end_category().unwrap();
    order(writer.begin_category("b"));
    order(writer.begin_category("a"));
    assert!(matches!(
        writer.finish(sample()),
        Err(ArtifactError::Manifest { .. })
    ));
    assert!(!kept.0.lock().unwrap().committed);
}

#[test]
fn the_number_of_threads_and_the_size_of_calls_are_not_seen() {
    for compression in [Compression::Gzip, Compression::Zstd, Compression::None] {
        let (one, finished) = write(compression, 1, 30_000);
        assert!(finished.json_bytes > 2_000_000);
        for threads in [2, 5] {
            assert!(
                write(compression, threads, 30_000) == (one.clone(), finished.clone()),
                "{compression:?} {threads}"
            );
        }
    }
}

#[test]
fn a_failing_sink_fails_the_writer() {
    struct Full(u32);
    impl BlockSink for Full {
        fn write(&mut self, _: Bytes) -> Result<(), StorageError> {
            self.0 = self.0.checked_sub(1).ok_or(StorageError::Full)?;
            Ok(())
        }
        fn commit(self: Box<Self>, _: Option<Bytes>) -> Result<(), StorageError> {
            Err(StorageError::Full)
        }
    }
    for writes in [0, 1, 3] {
        let spec = ArtifactSpec {
            compression: Compression::Gzip,
            threads: NonZeroUsize::MIN,
        };
        let mut writer = ArtifactWriter::begin(spec, Box::new(Full(writes))).unwrap();
        writer.begin_category("users").unwrap();
        let row = format!(r#"{{"a":"{}"}}"#, "x".repeat(1000));
        let failed = (0..10_000).find_map(|_| writer.row(row.as_bytes()).err());
        let full = ArtifactError::Storage(StorageError::Full);
        assert_eq!(failed, Some(full.clone()));

        // It stays so, whatever is tried.
        let again = (0..1000).find_map(|_| writer.row(row.as_bytes()).err());
        assert_eq!(again, Some(full.clone()));
        writer.end_category().unwrap();
        let mut manifest = sample();
        let rows = writer.rows.clone();
        manifest.categories.retain(|id, _| rows.contains_key(id));
        for (id, category) in &mut manifest.categories {
            category.rows = rows[id];
        }
        assert_eq!(writer.finish(manifest), Err(full));
    }
}

impl Kept {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.lock().unwrap().bytes.clone()
    }

    pub(crate) fn is_committed(&self) -> bool {
        self.0.lock().unwrap().committed
    }

    /// How many sinks and tests hold it.
    pub(crate) fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// An artifact of that many times the same row.
    pub(crate) fn write_rows(&self, compression: Compression, row: &[u8], rows: u64) -> Vec<u8> {
        let mut writer = begin(compression, 1, self);
        writer.begin_category("users").unwrap();
        (0..rows).for_each(|_| writer.row(row).unwrap());
        writer.end_category().unwrap();
        let mut manifest = sample();
        manifest.categories.retain(|id, _| id.as_str() == "users");
        manifest
            .categories
            .values_mut()
            .for_each(|category| category.rows = rows);
        writer.finish(manifest).unwrap();
        self.0.lock().unwrap().bytes.clone()
    }
}
