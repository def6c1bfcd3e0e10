#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::io::{Cursor, Write};

use carnet_events::ids::Digest;
use proptest::prelude::*;

use super::*;
use crate::export::artifact::manifest::tests::sample;
use crate::export::artifact::writer::tests::{small, write};

const ALL: [Compression; 3] = [Compression::Gzip, Compression::Zstd, Compression::None];

fn verdict(file: &[u8]) -> Verdict {
    verdict_within(file, Limits::default())
}

fn verdict_within(file: &[u8], limits: Limits) -> Verdict {
    verify(Box::new(Cursor::new(file.to_vec())), limits, &mut |_| ()).unwrap()
}

fn reason(file: &[u8]) -> Reason {
    match verdict(file) {
        Verdict::NotIntact(finding) => finding.reason,
        Verdict::Intact(_) => panic!("intact"),
    }
}

/// A document with this data, whose manifest and checksum are right for `rows`, as a forger would make it.
fn forged(data: &str, rows: &[(&str, u64)]) -> Vec<u8> {
    let mut manifest = sample();
    let category = manifest.categories.values().next().unwrap().clone();
    let named = |(id, rows): &(&str, u64)| {
        (
            (*id).into(),
            crate::export::artifact::CategoryManifest {
                rows: *rows,
                ..category.clone()
            },
        )
    };
    manifest.categories = rows.iter().map(named).collect();
    seal(data, manifest)
}

fn seal(data: &str, mut manifest: Manifest) -> Vec<u8> {
    let document = |manifest: &Manifest| {
        format!(
            "{{\"data\":{data},\"manifest\":{}}}",
            String::from_utf8(manifest.to_canonical().unwrap()).unwrap()
        )
    };
    manifest.checksum = Some(Digest::of(document(&manifest.blanked()).as_bytes()));
    document(&manifest).into_bytes()
}

/// A zstd frame with our header, by another coder's hand.
fn frame(data: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.window_log(21).unwrap();
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_the_writer_writes_is_intact() {
    for compression in ALL {
        for (file, finished) in [small(compression), write(compression, 2, 20_000)] {
            let Verdict::Intact(summary) = verdict(&file) else {
                panic!("{:?}", verdict(&file))
            };
            assert_eq!(summary.compression, compression);
            assert_eq!(
                (summary.json_bytes, summary.json_sha256),
                (finished.json_bytes, finished.json_sha256)
            );
            assert_eq!(
                (summary.stored_bytes, summary.stored_sha256),
                (finished.stored_bytes, finished.stored_sha256)
            );
            assert_eq!(summary.checksum, finished.checksum);
            assert_eq!(summary.manifest.checksum, Some(finished.checksum));
        }
    }
}

#[test]
fn no_flipped_bit_of_a_document_goes_unseen() {
    let (file, _) = small(Compression::None);
    for at in 0..file.len() {
        for bit in 0..8 {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert!(
                matches!(verdict(&changed), Verdict::NotIntact(_)),
                "byte {at} bit {bit}"
            );
        }
    }
}

#[test]
fn no_flipped_bit_of_a_compressed_file_changes_the_document_unseen() {
    for compression in [Compression::Gzip, Compression::Zstd] {
        let (file, finished) = small(compression);
        for at in 0..file.len() {
            for bit in 0..8 {
                let mut changed = file.clone();
                changed[at] ^= 1 << bit;
                // Another spelling of the same document in deflate or zstd: the document is still the one that was written.
                if let Verdict::Intact(summary) = verdict(&changed) {
                    assert_eq!(summary.json_sha256, finished.json_sha256);
                    assert_ne!(summary.stored_sha256, finished.stored_sha256);
                    assert!(
                        at >= 10 && at < file.len() - 8,
                        "{compression:?}: a header or trailer byte was changed unseen"
                    );
                }
            }
        }
    }
}

#[test]
fn a_file_cut_anywhere_is_not_intact() {
    for compression in ALL {
        let (file, _) = small(compression);
        for length in 0..file.len() {
            assert!(
                matches!(verdict(&file[..length]), Verdict::NotIntact(_)),
                "{compression:?} {length}"
            );
        }
    }
    assert_eq!(reason(b""), Reason::Truncated("file"));
    assert_eq!(
        reason(&small(Compression::None).0[..300]),
        Reason::Truncated("document")
    );
    assert_eq!(
        reason(&small(Compression::Gzip).0[..300]),
        Reason::Truncated("file")
    );
}

#[test]
fn nothing_may_follow() {
    for compression in ALL {
        let (file, _) = small(compression);
        for more in [&b"\n"[..], b" ", b"\0", b"{}", &file] {
            let expected = if compression == Compression::None {
                Reason::Trailing
            } else {
                Reason::Coding(CodingError::Trailing)
            };
            assert_eq!(reason(&[&file, more].concat()), expected, "{compression:?}");
        }
        // Skippable and empty frames, empty members.
        let empty_member = [
            0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        ];
        let skippable = [0x50, 0x2a, 0x4d, 0x18, 0, 0, 0, 0];
        for more in [&empty_member[..], &skippable] {
            assert!(matches!(
                verdict(&[&file, more].concat()),
                Verdict::NotIntact(_)
            ));
            assert!(matches!(
                verdict(&[more, &file].concat()),
                Verdict::NotIntact(_)
            ));
        }
    }
}

#[test]
fn a_document_in_two_members_is_refused() {
    let (file, _) = small(Compression::None);
    let (first, second) = file.split_at(file.len() / 2);
    let member = |data: &[u8]| {
        let mut encoder = flate2::GzBuilder::new()
            .operating_system(255)
            .write(Vec::new(), flate2::Compression::new(5));
        encoder.write_all(data).unwrap();
        encoder.finish().unwrap()
    };
    assert!(matches!(verdict(&member(&file)), Verdict::Intact(_)));
    assert_eq!(
        reason(&[member(first), member(second)].concat()),
        Reason::Coding(CodingError::Trailing)
    );
    assert!(matches!(verdict(&frame(&file)), Verdict::Intact(_)));
    assert_eq!(
        reason(&[frame(first), frame(second)].concat()),
        Reason::Coding(CodingError::Trailing)
    );
}

#[test]
fn a_finding_in_gzip_says_where_it_is() {
    let (file, _) = write(Compression::Gzip, 2, 20_000);
    let place = |file: &[u8]| match verdict(file) {
        Verdict::NotIntact(finding) => (finding.reason, finding.offset),
        Verdict::Intact(_) => panic!("intact"),
    };
    let end = file.len();
    let mut trailer = file.clone();
    trailer[end - 8] ^= 1;
    let at = (end - 8) as u64;
    assert_eq!(place(&trailer), (Reason::Coding(CodingError::Trailer), at));
    let more = [&file[..], b"x"].concat();
    let at = end as u64;
    assert_eq!(place(&more), (Reason::Coding(CodingError::Trailing), at));
    // No such block.
    let mut block = file;
    block[10] |= 0b110;
    let (found, at) = place(&block);
    assert_eq!(found, Reason::Coding(CodingError::Data));
    assert!((10..end as u64).contains(&at), "{at}");
}

#[test]
fn a_gzip_header_with_anything_in_it_is_refused() {
    let (file, _) = small(Compression::None);
    let builders = [
        flate2::GzBuilder::new().filename("x.json"),
        flate2::GzBuilder::new().comment("hello"),
        flate2::GzBuilder::new().mtime(1).operating_system(255),
        flate2::GzBuilder::new().operating_system(3),
        flate2::GzBuilder::new()
            .operating_system(255)
            .extra(vec![1, 2]),
    ];
    for builder in builders {
        let mut encoder = builder.write(Vec::new(), flate2::Compression::new(5));
        encoder.write_all(&file).unwrap();
        assert_eq!(
            reason(&encoder.finish().unwrap()),
            Reason::Coding(CodingError::Header)
        );
    }
}

#[test]
fn a_forger_who_recomputes_the_checksum_must_still_be_canonical() {
    assert!(matches!(
        verdict(&forged(r#"{"a":[{"x":1}],"b":[]}"#, &[("a", 1), ("b", 0)])),
        Verdict::Intact(_)
    ));
    for data in [
        r#"{"a":[{"x": 1}],"b":[]}"#,
        r#"{"a":[{"x":1.0}],"b":[]}"#,
        r#"{"a":[{"y":1,"x":1}],"b":[]}"#,
        r#"{"b":[],"a":[{"x":1}]}"#,
        r#"{"a":[{"x":"\u0041"}],"b":[]}"#,
        "{\"a\":[{\"x\":1}]\n,\"b\":[]}",
    ] {
        assert!(
            matches!(
                reason(&forged(data, &[("a", 1), ("b", 0)])),
                Reason::NotCanonical(_)
            ),
            "{data}"
        );
    }
    assert_eq!(
        reason(&forged(r#"{"a":[{"x":1,"x":1}]}"#, &[("a", 1)])),
        Reason::DuplicateKey
    );
    assert_eq!(
        reason(&forged(r#"{"a":[],"a":[]}"#, &[("a", 0)])),
        Reason::DuplicateKey
    );
}

#[test]
fn counts_and_categories_must_be_those_of_the_manifest() {
    let rows = |found, counted| Reason::Rows {
        category: "a".to_owned(),
        found,
        counted,
    };
    assert_eq!(reason(&forged(r#"{"a":[{}]}"#, &[("a", 2)])), rows(1, 2));
    assert_eq!(reason(&forged(r#"{"a":[{},{}]}"#, &[("a", 1)])), rows(2, 1));
    assert_eq!(
        reason(&forged(r#"{"a":[]}"#, &[("a", 0), ("b", 0)])),
        Reason::Categories
    );
    assert_eq!(
        reason(&forged(r#"{"a":[],"b":[]}"#, &[("a", 0)])),
        Reason::Categories
    );
    assert_eq!(
        reason(&forged(r#"{"b":[]}"#, &[("a", 0)])),
        Reason::Categories
    );
    assert!(matches!(verdict(&forged("{}", &[])), Verdict::Intact(_)));
}

#[test]
fn only_an_artifact_is_an_artifact() {
    let form = |file: &[u8]| {
        assert!(
            matches!(reason(file), Reason::Form(_)),
            "{:?}",
            reason(file)
        )
    };
    form(&forged(r#"{"a":{}}"#, &[("a", 0)]));
    form(&forged(r#"{"a":[1]}"#, &[("a", 1)]));
    form(&forged("[]", &[]));
    form(br#"{"data":{}}"#);
    form(br#"{"data":{},"manifest":[]}"#);
    form(br#"{"a":1,"data":{},"manifest":{}}"#);
    let intact = String::from_utf8(forged("{}", &[])).unwrap();
    form(format!("{},\"zzz\":1}}", &intact[..intact.len() - 1]).as_bytes());
    assert_eq!(reason(b"[]"), Reason::UnknownFormat);
    assert_eq!(reason(b"\xef\xbb\xbf{}"), Reason::UnknownFormat);
    assert_eq!(reason(b"PK\x03\x04"), Reason::UnknownFormat);
    form(b"{}");
}

#[test]
fn a_manifest_of_another_form_is_refused() {
    let manifest = |change: &dyn Fn(&str) -> String| {
        let intact = String::from_utf8(forged("{}", &[])).unwrap();
        let changed = change(&intact);
        assert_ne!(changed, intact);
        assert!(
            matches!(reason(changed.as_bytes()), Reason::Manifest(_)),
            "{changed}: {:?}",
            reason(changed.as_bytes())
        );
    };
    manifest(&|it| it.replace("\"carnet\":1", "\"carnet\":2"));
    manifest(&|it| it.replace("\"attempt\":1,", ""));
    manifest(&|it| it.replace("\"tenant_id\":", "\"surplus\":1,\"tenant_id\":"));
    manifest(&|it| it.replace("\"checksum\":\"sha256:", "\"checksum\":\"sha512:"));
    manifest(&|it| it.replace("\"attempt\":1", "\"attempt\":-1"));
    manifest(&|it| it.replace("\"attempt\":1", "\"attempt\":1.5"));

    // Sealed as it should be, and still none of ours.
    let mut other = sample();
    other.categories.clear();
    for (kind, attempt) in [("bogus", 1), ("", 1), ("account", 0)] {
        let (kind, categories) = (kind.to_owned(), other.categories.clone());
        let forged = Manifest {
            kind,
            attempt,
            categories,
            ..other.clone()
        };
        let found = reason(&seal("{}", forged));
        assert!(matches!(found, Reason::Manifest(_)), "{found:?}");
    }
    other.kind = "snapshot".to_owned();
    assert!(matches!(
        verdict(&seal("{}", other.clone())),
        Verdict::Intact(_)
    ));
    other.carnet = 7;
    assert!(matches!(
        reason(&seal("{}", other.clone())),
        Reason::Manifest(_)
    ));
    other.carnet = 1;
    let blank = seal("{}", other)
        .iter()
        .map(|&byte| char::from(byte))
        .collect::<String>();
    let from = blank.find("sha256:").unwrap();
    let blank = format!("{}{}", &blank[..from], &blank[from + 71..]);
    assert!(matches!(reason(blank.as_bytes()), Reason::Checksum { .. }));
}

#[test]
fn bombs_are_refused_early() {
    let row = format!(r#"{{"x":"{}"}}"#, "a".repeat(100_000));
    let data = format!(r#"{{"a":[{}]}}"#, vec![row; 200].join(","));
    let bomb = frame(&forged(&data, &[("a", 200)]));
    let limits = Limits {
        ratio: 1000,
        ratio_from: 1 << 20,
        ..Limits::default()
    };
    assert!(matches!(
        verdict_within(&bomb, limits),
        Verdict::NotIntact(Finding {
            reason: Reason::Bomb,
            ..
        })
    ));
    let window = zstd::bulk::compress(&forged(&data, &[("a", 200)]), 22).unwrap();
    assert_eq!(
        reason(&window),
        Reason::Coding(CodingError::Header),
        "it would need more memory than ours"
    );
}

#[test]
fn honest_rows_that_are_all_alike_stay_below_the_ratio() {
    for compression in ALL {
        let kept = crate::export::artifact::writer::tests::Kept::default();
        let file = kept.write_rows(compression, br#"{"a":1}"#, 3_000_000);
        let limits = Limits {
            ratio_from: 1 << 20,
            ..Limits::default()
        };
        assert!(
            matches!(verdict_within(&file, limits), Verdict::Intact(_)),
            "{compression:?}: {} bytes",
            file.len()
        );
    }
}

#[test]
fn an_unreadable_file_is_neither() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("broken"))
        }
    }
    assert!(verify(Box::new(Broken), Limits::default(), &mut |_| ()).is_err());
    let (file, _) = small(Compression::None);
    assert!(
        verify(
            Box::new(Cursor::new(file[..100].to_vec()).chain(Broken)),
            Limits::default(),
            &mut |_| ()
        )
        .is_err()
    );
    assert!(verify_file(Path::new("/nonexistent"), Limits::default(), &mut |_| ()).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Cut, overwritten, repeated, appended: whatever is called intact holds the document that was written.
    #[test]
    fn no_tampering_changes_the_document_unseen(
        compression in prop::sample::select(&ALL[..]),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0_usize..40, proptest::collection::vec(any::<u8>(), 0..20)), 1..4),
    ) {
        let (file, finished) = small(compression);
        let mut changed = file.clone();
        for (at, removed, inserted) in edits {
            let from = at.index(changed.len() + 1);
            let to = changed.len().min(from + removed);
            changed.splice(from..to, inserted);
            if changed.is_empty() {
                break;
            }
        }
        if let Verdict::Intact(summary) = verdict(&changed) {
            prop_assert_eq!(summary.json_sha256, finished.json_sha256);
        }
    }

    /// Any bytes at all are answered, never with a panic.
    #[test]
    fn any_bytes_are_answered(magic in prop::sample::select(vec![&b""[..], b"{", b"{\"data\":{", &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff], &[0x28, 0xb5, 0x2f, 0xfd]]), rest in proptest::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(matches!(verdict(&[magic, &rest].concat()), Verdict::NotIntact(_)));
    }
}
