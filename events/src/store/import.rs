//! Events of another log made into appends: each run of one stream is one, at the revision it had.

use super::{Expected, MAX_APPEND_BYTES, MAX_APPEND_EVENTS, StoreError, validate};
use crate::envelope::{NewEvent, Recorded};
use crate::stream::StreamName;

/// Events that stand side by side in one stream.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) stream: StreamName,
    pub(crate) expected: Expected,
    pub(crate) events: Vec<NewEvent>,
}

/// Splits what is imported, in its order, into runs that keep the limits of an append.
pub(crate) fn runs(events: Vec<Recorded>) -> Result<Vec<Run>, StoreError> {
    let mut runs: Vec<Run> = Vec::new();
    let (mut next, mut size) = (0, 0_usize);
    for event in events {
        let Recorded {
            stream,
            revision,
            id,
            kind,
            data,
            metadata,
            ..
        } = event;
        let event = NewEvent {
            id,
            kind,
            data,
            metadata,
        };
        size = size.saturating_add(event.size());
        match runs.last_mut() {
            Some(run)
                if run.stream == stream
                    && revision == next
                    && run.events.len() < MAX_APPEND_EVENTS
                    && size <= MAX_APPEND_BYTES =>
            {
                run.events.push(event);
            }
            _ => {
                size = event.size();
                let before = revision.checked_sub(1);
                runs.push(Run {
                    stream,
                    expected: before.map_or(Expected::NoStream, Expected::Exact),
                    events: vec![event],
                });
            }
        }
        next = revision + 1;
    }
    for run in &runs {
        validate::batch(&run.events)?;
    }
    Ok(runs)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::envelope::Position;

    fn event(stream: &str, revision: u64, size: usize) -> Recorded {
        Recorded {
            stream: stream.parse().unwrap(),
            revision,
            position: Position::single(1),
            id: Uuid::new_v4(),
            kind: "k".into(),
            data: vec![0; size].into(),
            metadata: Bytes::new(),
        }
    }

    #[test]
    fn a_run_ends_with_its_stream_and_with_the_limits_of_an_append() {
        let mut events = vec![event("a", 0, 1), event("a", 1, 1), event("b", 4, 1)];
        events.push(event("a", 2, 900 * 1024));
        events.push(event("a", 3, 900 * 1024));
        events.extend((4..1504).map(|n| event("a", n, 1)));
        let runs = runs(events).unwrap();
        let shape: Vec<_> = runs
            .iter()
            .map(|run| (run.stream.as_str(), run.expected, run.events.len()))
            .collect();
        assert_eq!(
            shape,
            [
                ("a", Expected::NoStream, 2),
                ("b", Expected::Exact(3), 1),
                ("a", Expected::Exact(1), 1),
                ("a", Expected::Exact(2), 1000),
                ("a", Expected::Exact(1002), 501),
            ]
        );
    }
}
