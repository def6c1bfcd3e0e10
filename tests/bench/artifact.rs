//! Writing and verifying an artifact of 400,000 rows, beside `pigz -6` on the same document.
//!
//! Run with `cargo bench --bench artifact`. Nothing is stored: what is measured is hashing, compressing and checking.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a bench"
)]

use std::collections::BTreeMap;
use std::io::{Cursor, Write};
use std::num::NonZeroUsize;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use carnet::export::artifact::{
    ArtifactSpec, ArtifactWriter, BlockSink, CategoryManifest, Compression, Manifest, StorageError,
};
use carnet::export::verify::{Limits, Verdict, verify};
use carnet_events::ids::{Digest, ExportId, TenantId, Timestamp};

const ROWS: u64 = 400_000;

fn main() {
    let rows = rows();
    let document = write(&rows, Compression::None, 1).0;
    let megabytes = document.len() as f64 / 1e6;
    println!("{ROWS} rows, {megabytes:.0} MB of JSON");
    let (pigz, took) = pigz(&document);
    println!(
        "pigz -6                 {:7.0} MB/s   {:6.2} MB",
        megabytes / took.as_secs_f64(),
        pigz as f64 / 1e6
    );
    for (compression, threads) in [
        (Compression::None, 1),
        (Compression::Gzip, 1),
        (Compression::Gzip, 2),
        (Compression::Zstd, 1),
    ] {
        let (file, took) = (0..3)
            .map(|_| write(&rows, compression, threads))
            .min_by_key(|(_, took)| *took)
            .unwrap();
        let name = format!("{compression:?}, {threads} thread(s)");
        println!(
            "write {name:17} {:7.0} MB/s   {:6.2} MB   {:.3} of pigz",
            megabytes / took.as_secs_f64(),
            file.len() as f64 / 1e6,
            file.len() as f64 / pigz as f64
        );
        if threads == 1 {
            let took = (0..3).map(|_| check(&file)).min().unwrap();
            println!(
                "verify {name:16} {:7.0} MB/s",
                megabytes / took.as_secs_f64()
            );
        }
    }
}

/// Rows as a support desk has them: words, names, states, times, identifiers, numbers. The same every time.
fn rows() -> Vec<Vec<u8>> {
    let mut state = 1_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let words: Vec<&str> = "the ticket was opened because export failed after customer changed plan and invoice could not be generated please check settings again \
        when user logs in from another device thanks for your help we will look into this soon order number payment method expired retry later"
        .split(' ')
        .collect();
    let names = [
        "Ada Lovelace",
        "Grace Hopper",
        "Barbara Liskov",
        "Edsger Dijkstra",
        "Margaret Hamilton",
        "Donald Knuth",
        "Radia Perlman",
        "Tony Hoare",
    ];
    let states = ["open", "pending", "resolved", "closed"];
    let row = |n: u64| {
        let body: Vec<&str> = (0..4 + next(10))
            .map(|_| words[next(words.len() as u64) as usize])
            .collect();
        let at = |seconds: u64, millis: u64| {
            Timestamp::from_millis((1_700_000_000 + seconds as i64) * 1000 + millis as i64)
        };
        format!(
            r#"{{"assignee":"{}","body":"{}","created_at":"{}","id":"{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}","number":{n},"priority":{},"score":{}.{},"status":"{}","updated_at":"{}"}}"#,
            names[next(8) as usize],
            body.join(" "),
            at(n * 31, next(1000)),
            next(1 << 31),
            next(1 << 16),
            next(1 << 12),
            next(1 << 12),
            next(1 << 31) * next(1 << 16),
            next(5),
            next(100),
            next(9) + 1,
            states[next(4) as usize],
            at(n * 31 + next(100_000), 0),
        )
        .into_bytes()
    };
    (0..ROWS).map(row).collect()
}

#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl BlockSink for Memory {
    fn write(&mut self, bytes: Bytes) -> Result<(), StorageError> {
        self.0.lock().unwrap().extend_from_slice(&bytes);
        Ok(())
    }

    fn commit(self: Box<Self>, _: Option<Bytes>) -> Result<(), StorageError> {
        Ok(())
    }
}

fn write(rows: &[Vec<u8>], compression: Compression, threads: usize) -> (Vec<u8>, Duration) {
    let memory = Memory::default();
    let begun = Instant::now();
    let spec = ArtifactSpec {
        compression,
        threads: NonZeroUsize::new(threads).unwrap(),
    };
    let mut writer = ArtifactWriter::begin(spec, Box::new(memory.clone())).unwrap();
    writer.begin_category("tickets").unwrap();
    for row in rows {
        writer.row(row).unwrap();
    }
    writer.end_category().unwrap();
    writer.finish(manifest()).unwrap();
    let took = begun.elapsed();
    (std::mem::take(&mut *memory.0.lock().unwrap()), took)
}

fn manifest() -> Manifest {
    let tickets = CategoryManifest {
        neutralised: 0,
        policy_digest: Digest::from_bytes([0; 32]),
        read_at: Timestamp::EPOCH,
        redacted: BTreeMap::new(),
        rows: ROWS,
    };
    Manifest {
        attempt: 1,
        carnet: 1,
        categories: BTreeMap::from([("tickets".into(), tickets)]),
        checksum: None,
        expires_at: None,
        export_id: ExportId::from_uuid(uuid::Uuid::nil()),
        generated_at: Timestamp::EPOCH,
        kind: "account".to_owned(),
        scope: None,
        tenant_id: TenantId::new("acme").unwrap(),
    }
}

fn check(file: &[u8]) -> Duration {
    let begun = Instant::now();
    let verdict = verify(
        Box::new(Cursor::new(file.to_vec())),
        Limits::default(),
        &mut |_| (),
    )
    .unwrap();
    assert!(matches!(verdict, Verdict::Intact(_)), "{verdict:?}");
    begun.elapsed()
}

/// Size of what `pigz` makes of the document, and how long it took.
fn pigz(document: &[u8]) -> (usize, Duration) {
    let begun = Instant::now();
    let mut child = Command::new("pigz")
        .args(["-6", "-c"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("pigz is installed");
    let mut stdin = child.stdin.take().unwrap();
    let input = document.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    (output.stdout.len(), begun.elapsed())
}
