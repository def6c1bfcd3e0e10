//! The house rules, kept by a test: who may import whom, that the domain is pure, that files stay readable.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that may be longer than [`MAX_LINES`], each with its reason.
const LONG_FILES: &[(&str, &str)] = &[(
    "events/src/domain/tenant/tests.rs",
    "one scenario after another; a list, not a structure",
)];

const MAX_LINES: usize = 500;

/// Which of our crates a crate's sources may name. Absences are the point: `actors` and `projections` never meet.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("actors", &["carnet_events"]),
    ("projections", &["carnet_events"]),
];

const OURS: [&str; 4] = [
    "carnet_events",
    "carnet_actors",
    "carnet_projections",
    "carnet::",
];

/// What the domain must not know: runtimes, drivers, clocks, chance.
const IMPURE: &[&str] = &[
    "tokio",
    "actix",
    "futures",
    "async_trait",
    "rusqlite",
    "tracing",
    "rand",
    "SystemTime",
    "Instant",
    "Timestamp::now",
    "now_v7",
    "new_v4",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "async fn",
    ".await",
    "crate::store",
    "crate::conformance",
    "tonic",
    "eventstore",
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file under `place`, by its path from the root.
fn sources(place: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![root().join(place)];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).into_iter().flatten().flatten() {
            let path: PathBuf = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let name = path
                    .strip_prefix(root())
                    .unwrap_or(&path)
                    .display()
                    .to_string();
                found.insert(
                    name,
                    fs::read_to_string(&path).expect("a readable source file"),
                );
            }
        }
    }
    assert!(!found.is_empty(), "no sources in {place}");
    found
}

fn all_sources() -> BTreeMap<String, String> {
    ["events", "actors", "projections", "src", "tests"]
        .into_iter()
        .flat_map(sources)
        .collect()
}

/// The lines of a file that are code: comments and doc comments may name anything.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim_start()))
        .filter(|(_, line)| !line.starts_with("//"))
}

#[test]
fn crates_import_only_what_stands_below_them() {
    for (place, allowed) in MAY_IMPORT {
        let manifest =
            fs::read_to_string(root().join(place).join("Cargo.toml")).expect("a manifest");
        for line in manifest.lines().filter(|line| line.starts_with("carnet")) {
            let name = line
                .split(['.', ' ', '='])
                .next()
                .unwrap_or_default()
                .replace('-', "_");
            let own = format!("carnet_{place}");
            assert!(
                name == own || allowed.contains(&name.as_str()),
                "{place}/Cargo.toml depends on {name}"
            );
        }
        let own = format!("carnet_{place}");
        for (file, text) in sources(place) {
            for (line, content) in code(&text) {
                for other in OURS
                    .iter()
                    .filter(|other| **other != own && !allowed.contains(other))
                {
                    assert!(!content.contains(other), "{file}:{line} imports {other}");
                }
            }
        }
    }
}

#[test]
fn actors_and_projections_know_no_http_and_actors_no_database() {
    for (place, strangers) in [
        (
            "actors",
            &[
                "rusqlite",
                "object_store",
                "reqwest",
                "actix_web",
                "std::fs",
                "tokio_postgres",
                "eventstore",
                "hyper",
            ][..],
        ),
        (
            "projections",
            &[
                "actix",
                "object_store",
                "reqwest",
                "tokio_postgres",
                "eventstore",
                "hyper",
            ][..],
        ),
        ("events", &["actix", "object_store", "reqwest"][..]),
    ] {
        let manifest =
            fs::read_to_string(root().join(place).join("Cargo.toml")).expect("a manifest");
        for (file, text) in sources(place) {
            for (line, content) in code(&text) {
                for stranger in strangers {
                    assert!(
                        !content.contains(stranger),
                        "{file}:{line} knows {stranger}"
                    );
                }
            }
        }
        for stranger in strangers.iter().filter(|s| !s.contains("::")) {
            let name = stranger.replace('_', "-");
            let depends = manifest
                .lines()
                .any(|line| line.split(['.', ' ', '=']).next() == Some(&name));
            assert!(!depends, "{place}/Cargo.toml depends on {stranger}");
        }
    }
}

#[test]
fn the_domain_is_pure() {
    for (file, text) in sources("events/src/domain") {
        if file.contains("test") {
            continue;
        }
        for (line, content) in code(&text) {
            for word in IMPURE {
                assert!(
                    !content.contains(word),
                    "{file}:{line} names {word}: the domain decides, others do"
                );
            }
        }
    }
}

#[test]
fn files_stay_readable() {
    let mut lengths = Vec::new();
    for (file, text) in all_sources() {
        let lines = text.lines().count();
        lengths.push(lines);
        let excused = LONG_FILES.iter().any(|(name, _)| *name == file);
        assert!(
            excused || lines <= MAX_LINES,
            "{file} has {lines} lines; split it, or list it with a reason"
        );
        assert!(
            !excused || lines > MAX_LINES,
            "{file} needs no excuse any more"
        );
    }
    lengths.sort_unstable();
    let median = lengths[lengths.len() / 2];
    assert!(median <= 200, "the median file has {median} lines");
}

#[test]
fn nothing_is_left_undone() {
    // Spelt apart, so that this file doesn't find itself.
    let marks = [
        ["todo", "!("].concat(),
        ["unimplemented", "!("].concat(),
        ["dbg", "!("].concat(),
        ["FIX", "ME"].concat(),
        ["XX", "X:"].concat(),
    ];
    for (file, text) in all_sources() {
        for (number, line) in text.lines().enumerate() {
            for mark in &marks {
                assert!(
                    !line.contains(mark.as_str()),
                    "{file}:{} has {mark}",
                    number + 1
                );
            }
        }
    }
}

#[test]
fn every_module_says_what_it_is_for() {
    for place in ["events/src", "actors/src", "projections/src", "src"] {
        for (file, text) in sources(place) {
            let tests = file.contains("test");
            let first = text
                .lines()
                .find(|line| !line.trim().is_empty())
                .unwrap_or_default();
            assert!(
                tests || first.starts_with("//!"),
                "{file} begins without `//!`"
            );
        }
    }
}

#[test]
fn the_top_level_holds_the_house_and_nothing_else() {
    let allowed = [
        "Cargo.toml",
        "Cargo.lock",
        "README.md",
        "CHANGELOG.md",
        "LICENSE",
        "src",
        "actors",
        "events",
        "projections",
        "tests",
        "target",
        "data",
        // Made by proptest when a property fails; not kept in the repository.
        "proptest-regressions",
    ];
    for entry in fs::read_dir(root()).expect("the repository").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        assert!(
            name.starts_with('.') || allowed.contains(&name.as_str()),
            "{name} stands at the top level"
        );
    }
}
