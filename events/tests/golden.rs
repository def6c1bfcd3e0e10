//! Every version of every event that was ever written can be read, for ever.
//!
//! `golden/` holds one file per stream kind, type and version: the data exactly as it was stored. A file is never changed:
//! a new version gets a new file, and an upcast that reads the old one. `CARNET_WRITE_GOLDEN=1` writes the files
//! that are missing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use bytes::Bytes;
use carnet_events::codec::{DomainEvent, decode};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::directory::DirectoryEvent;
use carnet_events::domain::export::ExportEvent;
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::policy::PolicyEvent;
use carnet_events::domain::session::SessionEvent;
use carnet_events::domain::tenant::TenantEvent;
use carnet_events::envelope::{Metadata, Position, Recorded};
use carnet_events::ids::Timestamp;
use carnet_events::stream::StreamName;

mod releases;
mod samples;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// Whether missing files are being written.
fn is_writing() -> bool {
    std::env::var_os("CARNET_WRITE_GOLDEN").is_some()
}

fn file<E: DomainEvent>(kind: &str, version: u16) -> PathBuf {
    let stream = format!("{:?}", E::STREAM).to_lowercase();
    folder().join(format!("{stream}.{kind}.{version}.json"))
}

fn recorded(kind: &'static str, version: u16, data: Vec<u8>) -> Recorded {
    let metadata = Metadata {
        recorded_at: Timestamp::from_millis(1),
        tenant: None,
        principal: None,
        causation: None,
        correlation: None,
        trace: None,
        schema: version,
    };
    Recorded {
        stream: StreamName::platform(),
        revision: 0,
        position: Position::single(0),
        id: uuid::Uuid::nil(),
        kind: kind.into(),
        data: Bytes::from(data),
        metadata: metadata.to_bytes().unwrap(),
    }
}

/// Checks every version of every type, and that the newest is written as its file says, byte for byte.
fn check<E: DomainEvent + PartialEq + std::fmt::Debug>(samples: Vec<E>) {
    let sampled: BTreeSet<_> = samples.iter().map(DomainEvent::kind).collect();
    let declared: BTreeSet<_> = E::TYPES.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(sampled, declared, "one sample per type");
    for sample in samples {
        let kind = sample.kind();
        let newest = E::newest_version(kind).unwrap();
        let path = file::<E>(kind, newest);
        let mut written = sample.to_json().unwrap();
        written.push(b'\n');
        if is_writing() && !path.exists() {
            fs::write(&path, &written).unwrap();
        }
        let golden = fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!(
            String::from_utf8_lossy(&written),
            String::from_utf8_lossy(&golden),
            "`{kind}` is written in another way than version {newest} was: give it a new version"
        );
        for version in 1..=newest {
            let path = file::<E>(kind, version);
            let golden =
                fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let (_, read) = decode::<E>(&recorded(kind, version, golden)).unwrap();
            assert_eq!(read.what, sample, "{}", path.display());
        }
    }
}

#[test]
fn export_events() {
    check::<ExportEvent>(samples::export());
}

#[test]
fn tenant_events() {
    check::<TenantEvent>(samples::tenant());
}

#[test]
fn access_events() {
    check::<AccessEvent>(samples::access());
}

#[test]
fn policy_directory_and_platform_events() {
    check::<PolicyEvent>(samples::policy());
    check::<DirectoryEvent>(samples::directory());
    check::<PlatformEvent>(samples::platform());
}

#[test]
fn session_events() {
    check::<SessionEvent>(samples::session());
}

#[test]
fn every_golden_file_is_of_a_known_type() {
    let known: BTreeSet<_> = [
        all_files::<ExportEvent>(),
        all_files::<TenantEvent>(),
        all_files::<AccessEvent>(),
        all_files::<PolicyEvent>(),
        all_files::<DirectoryEvent>(),
        all_files::<PlatformEvent>(),
        all_files::<SessionEvent>(),
    ]
    .concat()
    .into_iter()
    .collect();
    let present: BTreeSet<_> = fs::read_dir(folder())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    // Those that are missing may be written by another test at this very moment; the next run looks for them.
    let unknown: Vec<_> = present.difference(&known).collect();
    assert!(unknown.is_empty(), "of no known type: {unknown:?}");
    assert!(is_writing() || present == known);
}

fn all_files<E: DomainEvent>() -> Vec<PathBuf> {
    E::TYPES
        .iter()
        .flat_map(|(kind, newest)| (1..=*newest).map(|version| file::<E>(kind, version)))
        .collect()
}

#[test]
fn a_newer_version_and_an_unknown_type_are_told_plainly() {
    let newer = decode::<ExportEvent>(&recorded("expired", 99, b"{}".to_vec())).unwrap_err();
    assert!(
        newer
            .to_string()
            .contains("newer release, this one reads up to 1: upgrade this node"),
        "{newer}"
    );
    let unknown = decode::<ExportEvent>(&recorded("exploded", 1, b"{}".to_vec())).unwrap_err();
    assert!(
        unknown
            .to_string()
            .contains("`exploded` was written by a newer release"),
        "{unknown}"
    );
    assert!(newer.is_newer() && unknown.is_newer());
}

#[test]
fn the_first_version_of_a_failed_attempt_is_brought_up_to_date() {
    let old = fs::read(file::<ExportEvent>("attempt_failed", 1)).unwrap();
    assert!(!String::from_utf8_lossy(&old).contains("parameters"));
    let (_, read) = decode::<ExportEvent>(&recorded("attempt_failed", 1, old)).unwrap();
    match read.what {
        ExportEvent::AttemptFailed(failed) => assert!(failed.parameters.is_empty()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn events_from_before_operators_acted_say_that_none_did() {
    let old = fs::read(file::<ExportEvent>("failed", 1)).unwrap();
    let (_, read) = decode::<ExportEvent>(&recorded("failed", 1, old)).unwrap();
    assert!(matches!(read.what, ExportEvent::Failed(failed) if failed.principal.is_none()));
    let old = fs::read(file::<TenantEvent>("exemption_granted", 1)).unwrap();
    let (_, read) = decode::<TenantEvent>(&recorded("exemption_granted", 1, old)).unwrap();
    assert!(matches!(read.what, TenantEvent::ExemptionGranted(one) if one.person.is_none()));
    let old = fs::read(file::<DirectoryEvent>("reason_given", 1)).unwrap();
    let (_, read) = decode::<DirectoryEvent>(&recorded("reason_given", 1, old)).unwrap();
    assert!(matches!(read.what, DirectoryEvent::ReasonGiven(one) if one.event.is_none()));
}
