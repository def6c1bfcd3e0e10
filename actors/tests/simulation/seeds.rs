//! Lives to be lived: some in every test run, any number by command.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Instant;

use crate::mutation::Mutation;
use crate::world::{Outcome, live};

/// Lives in an ordinary test run.
const USUAL: u64 = 16;

/// `N` or `N FIRST`: how many seeds, and the first.
const WANTED: &str = "CARNET_SIMULATION";

/// Says what was violated, by which seed, and what led to it.
fn report(outcome: &Outcome) -> String {
    let mut text = format!("seed {} breaks what was promised:\n", outcome.seed);
    let mut words = Vec::new();
    for violation in outcome.violations.iter().take(10) {
        text.push_str(&format!("  {}\n", violation.what));
        words.extend(violation.words.iter().cloned());
    }
    text.push_str(&outcome.trace.about(&words));
    text.push_str(&format!("again: tests/run simulation 1 {}\n", outcome.seed));
    text
}

#[test]
fn whatever_goes_wrong_every_promise_is_kept() {
    let wanted = std::env::var(WANTED).unwrap_or_default();
    let mut wanted = wanted.split_whitespace().map(|word| word.parse().unwrap());
    let count: u64 = wanted.next().unwrap_or(USUAL);
    let first: u64 = wanted.next().unwrap_or(1);
    let next = AtomicU64::new(first);
    let (events, accepted, lived) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicU64::new(0));
    let (settled, broken) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let begun = Instant::now();
    let threads = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        return;
                    }
                    let outcome = live(seed, Mutation::None);
                    if !outcome.violations.is_empty() {
                        broken.fetch_add(1, Ordering::Relaxed);
                        println!("{}", report(&outcome));
                    }
                    events.fetch_add(outcome.events, Ordering::Relaxed);
                    settled.fetch_add(outcome.settled, Ordering::Relaxed);
                    accepted.fetch_add(outcome.accepted, Ordering::Relaxed);
                    lived.fetch_add(outcome.lived.as_secs(), Ordering::Relaxed);
                }
            });
        }
    });
    let minutes = lived.into_inner() / 60;
    println!(
        "{count} seeds from {first}: {} events, {} accepted exports, {} settled, {minutes} simulated minutes in {:.0} s, {} broken",
        events.into_inner(),
        accepted.into_inner(),
        settled.into_inner(),
        begun.elapsed().as_secs_f64(),
        broken.load(Ordering::Relaxed),
    );
    assert_eq!(broken.into_inner(), 0, "see above");
}

#[test]
fn a_seed_makes_the_same_history_byte_for_byte() {
    let digests = [3, 11].map(|seed| {
        let (one, other) = (live(seed, Mutation::None), live(seed, Mutation::None));
        let parting = one.trace.parting(&other.trace);
        assert_eq!(one.digest, other.digest, "seed {seed}\n{parting}");
        assert_eq!(one.events, other.events);
        one.digest
    });
    assert_ne!(digests[0], digests[1]);
}

/// Lives with something broken until the checker sees it, and expects it to say what.
fn is_seen(mutation: Mutation, expected: &[&str]) {
    let mut said = Vec::new();
    for seed in 1..=12 {
        let outcome = live(seed, mutation);
        said.extend(outcome.violations.into_iter().map(|one| one.what));
        let is_it = |what: &String| expected.iter().any(|one| what.contains(one));
        if said.iter().any(is_it) {
            return;
        }
    }
    panic!("nobody saw {mutation:?}, but {said:?}");
}

#[test]
fn a_store_that_ignores_expected_revisions_is_seen() {
    let expected = ["is before", "used before", "a second time", "attempt"];
    is_seen(Mutation::StoreIgnoresExpected, &expected);
}

#[test]
fn a_store_that_forgets_is_seen() {
    let expected = [
        "is not in the log",
        "runs",
        "claimed",
        "attempt",
        "was read",
    ];
    is_seen(Mutation::StoreForgets, &expected);
}

#[test]
fn a_runner_that_ignores_fencing_is_seen() {
    is_seen(Mutation::RunnerIgnoresFencing, &["completed at export"]);
}

#[test]
fn attempts_that_share_an_object_are_seen() {
    is_seen(Mutation::AttemptsShareKeys, &["overwritten", "is gone"]);
}

#[test]
fn a_sweep_that_asks_nobody_is_seen() {
    is_seen(Mutation::SweepAsksNobody, &["is gone"]);
}

#[test]
fn limits_that_are_ignored_are_seen() {
    is_seen(Mutation::LimitsAreIgnored, &["limit User"]);
}

#[test]
fn a_bucket_that_keeps_what_is_deleted_is_seen() {
    is_seen(Mutation::BucketKeepsDeleted, &["the file is there"]);
}
