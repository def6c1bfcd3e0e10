//! The one rule of optimistic concurrency and idempotent retry, shared by the backends that apply it themselves.

use super::Expected;

/// What is to be done with a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It follows the head: write it.
    Append,
    /// It stands in the stream already, its first event at this revision: answer what was answered then.
    Replay {
        /// The revision of the batch's first event.
        first: u64,
    },
    /// The stream is not where the batch expected it, or holds only a part of it.
    Conflict,
}

/// Judges a batch against the stream's `head` and the revisions at which its events' ids were `found`, in batch order.
pub(crate) fn judge(expected: Expected, head: Option<u64>, found: &[Option<u64>]) -> Verdict {
    if let Some(Some(first)) = found.first().copied() {
        let place_expected = match expected {
            Expected::Any | Expected::Exists => true,
            Expected::NoStream => first == 0,
            Expected::Exact(revision) => Some(first) == revision.checked_add(1),
        };
        let whole = (first..)
            .zip(found)
            .all(|(revision, at)| *at == Some(revision));
        return if place_expected && whole {
            Verdict::Replay { first }
        } else {
            Verdict::Conflict
        };
    }
    let head_expected = match expected {
        Expected::Any => true,
        Expected::NoStream => head.is_none(),
        Expected::Exists => head.is_some(),
        Expected::Exact(revision) => head == Some(revision),
    };
    let all_new = found.iter().all(Option::is_none);
    if head_expected && all_new {
        Verdict::Append
    } else {
        Verdict::Conflict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Expected::{Any, Exact, Exists, NoStream};

    const NEW: Option<u64> = None;

    #[test]
    fn a_new_batch_is_appended_where_the_head_is_as_expected() {
        for (expected, head, verdict) in [
            (Any, None, Verdict::Append),
            (Any, Some(4), Verdict::Append),
            (NoStream, None, Verdict::Append),
            (NoStream, Some(0), Verdict::Conflict),
            (Exists, None, Verdict::Conflict),
            (Exists, Some(0), Verdict::Append),
            (Exact(4), None, Verdict::Conflict),
            (Exact(4), Some(3), Verdict::Conflict),
            (Exact(4), Some(4), Verdict::Append),
            (Exact(4), Some(5), Verdict::Conflict),
            (Exact(u64::MAX), Some(5), Verdict::Conflict),
        ] {
            assert_eq!(
                judge(expected, head, &[NEW, NEW]),
                verdict,
                "{expected:?} {head:?}"
            );
        }
    }

    #[test]
    fn a_batch_that_stands_where_it_was_expected_is_replayed() {
        let found = [Some(3), Some(4)];
        for expected in [Any, Exists, Exact(2)] {
            assert_eq!(
                judge(expected, Some(9), &found),
                Verdict::Replay { first: 3 }
            );
        }
        for expected in [NoStream, Exact(1), Exact(3), Exact(9)] {
            assert_eq!(judge(expected, Some(9), &found), Verdict::Conflict);
        }
        assert_eq!(
            judge(NoStream, Some(1), &[Some(0), Some(1)]),
            Verdict::Replay { first: 0 }
        );
    }

    #[test]
    fn a_batch_that_stands_there_in_part_is_a_conflict() {
        for found in [
            [Some(3), NEW],
            [NEW, Some(3)],
            [Some(4), Some(3)],
            [Some(2), Some(4)],
        ] {
            for expected in [Any, Exists, NoStream, Exact(2), Exact(4)] {
                assert_eq!(
                    judge(expected, Some(4), &found),
                    Verdict::Conflict,
                    "{expected:?} {found:?}"
                );
            }
        }
    }
}
