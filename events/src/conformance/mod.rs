//! The contract of [`EventStore`] as a suite that every backend must pass.
//!
//! Each case is one small function that takes a fresh [`Backend`]. [`conformance_suite!`](crate::conformance_suite) makes
//! one test of each. What differs between backends is the `Backend`'s to say; no case is ever left out.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "it is made of test cases, and those fail by panicking"
)]

pub mod appending;
pub mod crash;
pub mod erasing;
pub mod following;
pub mod limits;
mod make;
pub mod ordering;
pub mod reading;
pub mod reopening;
pub mod repeating;
pub mod sealing;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::store::EventStore;

pub use make::{batch, event, read, stream, texts};

/// How long a case may take before it counts as hanging.
const DEADLINE: Duration = Duration::from_secs(120);

/// One store under test, empty at first, that can be opened again and again.
#[async_trait]
pub trait Backend: Send + Sync {
    /// Opens it, as a process does when it starts. Whoever opens it again has dropped what was opened before.
    async fn open(&self) -> Arc<dyn EventStore>;

    /// A second way to the store that `open` gave: another node's, where the backend has such; otherwise the same.
    async fn another(&self, open: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        open.clone()
    }

    /// Whether of several processes that send the same batch in the same moment only one is told that it wrote it. A
    /// backend that leaves recognising repetitions to a server can't always know; it is written once on every one.
    fn tells_racers_apart(&self) -> bool {
        true
    }
}

/// Runs a case, which fails if it hangs.
pub async fn run(case: impl Future<Output = ()>) {
    tokio::time::timeout(DEADLINE, case)
        .await
        .expect("the case ends in time");
}

/// Makes a test of every case of the suite; `$backend` makes a fresh [`Backend`] for each.
#[macro_export]
macro_rules! conformance_suite {
    ($backend:expr) => {
        $crate::conformance_suite!(@ $backend;
            appending {
                revisions_and_positions_count_up
                a_batch_is_whole_or_not_at_all
                expectations_are_judged_below_at_and_above_the_head
                a_missing_stream_meets_only_any_and_no_stream
                one_of_many_racers_wins
                racers_with_any_all_win
                streams_do_not_disturb_each_other
                a_probe_says_that_it_can_write
            }
            repeating {
                an_exact_append_repeated_has_its_first_result
                a_first_append_repeated_has_its_first_result
                any_recognises_events_by_their_ids
                a_partial_repetition_is_a_conflict
                a_repetition_elsewhere_is_a_conflict
                ids_are_unique_within_a_stream_only
                racers_with_the_same_batch_write_it_once
            }
            limits {
                an_empty_batch_is_invalid
                the_size_limit_is_exact
                the_largest_batch_of_all_fits
                the_number_of_events_is_bounded
                types_are_bounded
                ids_are_neither_nil_nor_twice_in_a_batch
                bytes_and_text_come_back_as_they_were
            }
            reading {
                forwards_from_every_place
                backwards_from_every_place
                past_the_ends_lies_nothing
                at_most_as_many_as_asked
                a_missing_stream_reads_as_nothing
                long_streams_are_read_whole
                an_acknowledged_append_is_seen_at_once
            }
            ordering {
                the_total_order_keeps_the_order_of_streams
                reading_on_is_exclusive
                an_event_is_found_where_it_stands
                filters_admit_by_stream_and_type
                a_reading_ends_where_it_began_to
                the_last_position_is_that_of_the_last_event
            }
            following {
                live_follows_catch_up_without_gap_or_repeat
                resuming_is_exclusive
                catching_up_is_told_once
                checkpoints_come_while_nothing_matches
                a_filtered_live_subscription_moves_on
                a_slow_consumer_misses_nothing
                many_follow_at_once
                dropping_a_subscription_is_harmless
            }
            erasing {
                an_erased_directory_is_gone_for_good
                only_directories_can_be_erased
                erasing_twice_and_before_writing_is_harmless
                erased_positions_are_not_used_again
            }
            reopening {
                everything_is_there_again
                positions_go_on_where_they_stopped
                a_repetition_is_recognised_after_reopening
            }
            sealing {
                a_sealed_log_takes_nothing_more
                a_seal_can_be_given_another_reason
                one_of_many_gives_a_seal_another_reason
                sealing_ends_a_running_load_cleanly
                erased_streams_are_told
                imported_events_keep_order_and_revisions
                an_import_that_does_not_fit_is_a_conflict
            }
        );
    };
    (@ $backend:expr; $($theme:ident { $($case:ident)* })*) => {
        $(mod $theme {
            #[allow(unused_imports, reason = "the expression may name anything around it")]
            use super::*;
            $(
                #[::tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    $crate::conformance::run($crate::conformance::$theme::$case(&$backend)).await;
                }
            )*
        })*
    };
}
