//! Two releases, one after the other, work on one log while nodes are restarted in turn. So no release writes what the one
//! before it can't read: a new type, version or word is read by one release and written by the next.
//!
//! `releases.json` says since when each is read, and since when it is written (`null`: not yet). Whoever adds one enters
//! it there, with the release in work as `read`; until the release after it, `codec/held.rs` keeps it from being written.
//! Whoever publishes a release adds it to `published`, with the number of versions and words that it reads, and raises the
//! version in `Cargo.toml`.

use std::collections::{BTreeMap, BTreeSet};

use carnet_events::codec::{Context, DomainEvent, encode};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::directory::DirectoryEvent;
use carnet_events::domain::export::{DeletionCause, ExportEvent, Outcome, Phase};
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::policy::PolicyEvent;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin};
use carnet_events::domain::session::{EndCause, SessionEvent, SignInBy};
use carnet_events::domain::tenant::{LimitKind, TenantEvent};
use carnet_events::envelope::Metadata;
use carnet_events::ids::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::samples;

/// `major.minor.patch`, ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Release([u16; 3]);

impl TryFrom<String> for Release {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let numbers: Result<Vec<u16>, _> = text.split('.').map(str::parse).collect();
        let numbers = numbers.ok().and_then(|numbers| numbers.try_into().ok());
        numbers
            .map(Self)
            .ok_or_else(|| format!("{text} is not a release"))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Since {
    read: Release,
    written: Option<Release>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Releases {
    /// How many entries each published release reads, by release.
    published: BTreeMap<String, usize>,
    /// By stream, type and version.
    versions: BTreeMap<String, Since>,
    /// By enumeration and word.
    words: BTreeMap<String, Since>,
}

const FIRST: Release = Release([0, 1, 0]);

fn this() -> Release {
    env!("CARGO_PKG_VERSION").to_owned().try_into().unwrap()
}

fn releases() -> Releases {
    serde_json::from_str(include_str!("releases.json")).unwrap()
}

fn versions_of<E: DomainEvent>() -> impl Iterator<Item = String> {
    let all = E::TYPES
        .iter()
        .flat_map(|(kind, newest)| (1..=*newest).map(move |version| (kind, version)));
    all.map(|(kind, version)| key::<E>(kind, version))
}

fn key<E: DomainEvent>(kind: &str, version: u16) -> String {
    let stream = format!("{:?}", E::STREAM).to_lowercase();
    format!("{stream}.{kind}.{version}")
}

fn versions() -> BTreeSet<String> {
    versions_of::<ExportEvent>()
        .chain(versions_of::<TenantEvent>())
        .chain(versions_of::<AccessEvent>())
        .chain(versions_of::<PolicyEvent>())
        .chain(versions_of::<DirectoryEvent>())
        .chain(versions_of::<PlatformEvent>())
        .chain(versions_of::<SessionEvent>())
        .collect()
}

/// The words of an enumeration that events hold: those that serde expects instead of one that isn't there.
fn words_of<T: DeserializeOwned>(name: &str) -> BTreeSet<String> {
    let Err(error) = serde_json::from_str::<T>("\"?\"") else {
        panic!("{name} takes any word");
    };
    let text = error.to_string();
    let (_, expected) = text.split_once("expected").unwrap();
    let words = expected.split('`').skip(1).step_by(2);
    words.map(|word| format!("{name}.{word}")).collect()
}

fn words() -> BTreeSet<String> {
    [
        words_of::<DeletionCause>("deletion_cause"),
        words_of::<EndCause>("end_cause"),
        words_of::<ExportKind>("export_kind"),
        words_of::<Format>("format"),
        words_of::<Layer>("layer"),
        words_of::<LimitKind>("limit_kind"),
        words_of::<Origin>("origin"),
        words_of::<Outcome>("outcome"),
        words_of::<Phase>("phase"),
        words_of::<SignInBy>("sign_in_by"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn whatever_is_read_is_entered_with_the_release_that_first_could() {
    let Releases {
        versions: entered,
        words: entered_words,
        ..
    } = releases();
    let entered: BTreeSet<_> = entered.into_keys().collect();
    let entered_words: BTreeSet<_> = entered_words.into_keys().collect();
    assert_eq!(entered, versions(), "left: entered; right: read");
    assert_eq!(entered_words, words(), "left: entered; right: read");
}

#[test]
fn nothing_is_written_by_the_release_that_reads_it_first() {
    let all = releases();
    for (what, since) in all.versions.iter().chain(&all.words) {
        assert!(
            FIRST <= since.read && since.read <= this(),
            "{what}: read since no release there is"
        );
        let Some(written) = since.written else {
            continue;
        };
        let both_first = (since.read, written) == (FIRST, FIRST);
        assert!(
            since.read < written || both_first,
            "{what}: the release before {written:?} can't read it; write it one release later, and until then keep it back in codec/held.rs"
        );
    }
}

#[test]
fn a_published_release_reads_what_it_did() {
    let all = releases();
    for (release, read) in &all.published {
        let published = Release::try_from(release.clone()).unwrap();
        let since = all.versions.values().chain(all.words.values());
        let reads = since.filter(|since| since.read <= published).count();
        assert_eq!(
            reads,
            *read,
            "{release} is published: what is new is read since {:?}",
            this()
        );
        assert!(
            published < this(),
            "{release} is published: raise the version in Cargo.toml"
        );
    }
}

/// Each type is written in the newest version whose time has come, or not at all.
fn check_written<E: DomainEvent>(samples: Vec<E>) {
    let entered = releases().versions;
    let due = |version: u16, kind: &str| {
        let since = &entered[&key::<E>(kind, version)];
        since.written.is_some_and(|written| written <= this())
    };
    for sample in samples {
        let kind = sample.kind();
        let newest = E::newest_version(kind).unwrap();
        let expected = (1..=newest).rev().find(|version| due(*version, kind));
        let encoded = encode(
            uuid::Uuid::nil(),
            Timestamp::from_millis(1),
            &sample,
            &Context::default(),
        );
        let written = encoded
            .ok()
            .map(|event| Metadata::from_bytes(&event.metadata).unwrap().schema);
        assert_eq!(
            written, expected,
            "`{kind}`: left: the version it is written in; right: the one releases.json allows"
        );
    }
}

#[test]
fn this_release_writes_what_the_one_before_it_reads() {
    check_written(samples::export());
    check_written(samples::tenant());
    check_written(samples::access());
    check_written(samples::policy());
    check_written(samples::directory());
    check_written(samples::platform());
    check_written(samples::session());
}
