//! Appending: atomic, contiguous, and only where the stream stands as expected.

use futures::future::join_all;

use super::{Backend, batch, event, read, stream, texts};
use crate::store::{Expected, StoreError};
use crate::stream::StreamName;

/// Revisions are 0, 1, 2, …; positions ascend; the answer tells both.
pub async fn revisions_and_positions_count_up(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("count");
    let first = store
        .append(&name, Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    let second = store
        .append(&name, Expected::Exact(0), batch(1, 3))
        .await
        .unwrap();
    assert_eq!(
        (first.first_revision, first.last_revision, first.replayed),
        (0, 0, false)
    );
    assert_eq!(
        (second.first_revision, second.last_revision, second.replayed),
        (1, 3, false)
    );
    assert!(first.position < second.position);

    let events = read(&*store, &name).await;
    assert_eq!(
        events
            .iter()
            .map(|event| event.revision)
            .collect::<Vec<_>>(),
        [0, 1, 2, 3]
    );
    assert!(events.is_sorted_by(|a, b| a.position < b.position));
    assert_eq!(events[0].position, first.position);
    assert_eq!(events[3].position, second.position);
    assert!(events.iter().all(|event| event.stream == name));
    assert_eq!(store.head(&name).await.unwrap(), Some(3));
}

/// A batch that is turned down leaves nothing behind, whatever is wrong with it.
pub async fn a_batch_is_whole_or_not_at_all(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("whole");
    let there = batch(0, 2);
    store
        .append(&name, Expected::NoStream, there.clone())
        .await
        .unwrap();

    let mut mixed = batch(2, 3);
    mixed.push(there[0].clone());
    for expected in [Expected::Any, Expected::Exact(1), Expected::Exact(0)] {
        let error = store
            .append(&name, expected, mixed.clone())
            .await
            .unwrap_err();
        assert!(matches!(error, StoreError::Conflict { .. }), "{error:?}");
    }
    let mut invalid = batch(2, 3);
    invalid[2].kind = "".into();
    store
        .append(&name, Expected::Exact(1), invalid)
        .await
        .unwrap_err();

    assert_eq!(texts(&read(&*store, &name).await), ["0", "1"]);
    assert_eq!(store.head(&name).await.unwrap(), Some(1));
}

/// Below and above the head is a conflict that tells the head; at the head it is written.
pub async fn expectations_are_judged_below_at_and_above_the_head(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("expected");
    store
        .append(&name, Expected::NoStream, batch(0, 3))
        .await
        .unwrap();
    for expected in [
        Expected::NoStream,
        Expected::Exact(0),
        Expected::Exact(1),
        Expected::Exact(3),
        Expected::Exact(u64::MAX),
    ] {
        let error = store
            .append(&name, expected, batch(9, 1))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            StoreError::Conflict {
                stream: name.clone(),
                expected,
                actual: Some(2)
            }
        );
    }
    for (expected, revision) in [
        (Expected::Exact(2), 3),
        (Expected::Exists, 4),
        (Expected::Any, 5),
    ] {
        let appended = store.append(&name, expected, batch(3, 1)).await.unwrap();
        assert_eq!(appended.first_revision, revision);
    }
}

/// A stream without events is missing, for every expectation.
pub async fn a_missing_stream_meets_only_any_and_no_stream(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("missing");
    for expected in [Expected::Exists, Expected::Exact(0), Expected::Exact(7)] {
        let error = store
            .append(&name, expected, batch(0, 1))
            .await
            .unwrap_err();
        assert_eq!(
            error,
            StoreError::Conflict {
                stream: name.clone(),
                expected,
                actual: None
            }
        );
        assert_eq!(store.head(&name).await.unwrap(), None);
    }
    let by_any = store
        .append(&stream("by-any"), Expected::Any, batch(0, 1))
        .await
        .unwrap();
    let by_none = store
        .append(&name, Expected::NoStream, batch(0, 1))
        .await
        .unwrap();
    assert_eq!((by_any.first_revision, by_none.first_revision), (0, 0));
}

/// Of 64 who expect the same revision one wins, and the others are told where the stream stands.
pub async fn one_of_many_racers_wins(backend: &dyn Backend) {
    let store = backend.open().await;
    let other = backend.another(&store).await;
    let name = stream("race");
    for (round, expected) in [Expected::NoStream, Expected::Exact(0), Expected::Exact(1)]
        .into_iter()
        .enumerate()
    {
        let racers = (0..64).map(|racer| {
            let (store, name) = (
                if racer % 2 == 0 {
                    store.clone()
                } else {
                    other.clone()
                },
                name.clone(),
            );
            tokio::spawn(async move {
                store
                    .append(&name, expected, vec![event(&racer.to_string())])
                    .await
            })
        });
        let results: Vec<_> = join_all(racers)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let winners = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(winners, 1, "round {round}");
        let conflict = StoreError::Conflict {
            stream: name.clone(),
            expected,
            actual: Some(round as u64),
        };
        assert!(
            results
                .iter()
                .all(|result| result.as_ref().err().is_none_or(|error| *error == conflict))
        );
    }
    assert_eq!(read(&*store, &name).await.len(), 3);
}

/// Whoever expects nothing is never in conflict, and nothing is lost.
pub async fn racers_with_any_all_win(backend: &dyn Backend) {
    let store = backend.open().await;
    let name = stream("any");
    let racers = (0..64).map(|racer| {
        let (store, name) = (store.clone(), name.clone());
        tokio::spawn(async move {
            store
                .append(&name, Expected::Any, batch(racer * 3, 3))
                .await
                .unwrap()
        })
    });
    for appended in join_all(racers).await {
        let appended = appended.unwrap();
        assert_eq!(appended.last_revision, appended.first_revision + 2);
    }
    let said: Vec<usize> = texts(&read(&*store, &name).await)
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    assert!(
        said.chunks(3)
            .all(|batch| batch[0] % 3 == 0 && batch[1] == batch[0] + 1 && batch[2] == batch[0] + 2)
    );
    let mut sorted = said;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..192).collect::<Vec<_>>());
}

/// Each stream counts for itself, names that differ in anything are different streams.
pub async fn streams_do_not_disturb_each_other(backend: &dyn Backend) {
    let store = backend.open().await;
    let longest = "x".repeat(512);
    let names: Vec<StreamName> = [
        "a",
        "A",
        "a-",
        "a-1",
        "a-10",
        "a%20",
        "a_1",
        longest.as_str(),
    ]
    .map(stream)
    .to_vec();
    for round in 0..2 {
        for name in &names {
            let expected = if round == 0 {
                Expected::NoStream
            } else {
                Expected::Exact(0)
            };
            store
                .append(name, expected, vec![event(name.as_str())])
                .await
                .unwrap();
        }
    }
    for name in &names {
        assert_eq!(
            texts(&read(&*store, name).await),
            [name.as_str(), name.as_str()]
        );
        assert_eq!(store.head(name).await.unwrap(), Some(1));
    }
}

/// The probe writes, and leaves no event.
pub async fn a_probe_says_that_it_can_write(backend: &dyn Backend) {
    let store = backend.open().await;
    store.probe().await.unwrap();
    assert_eq!(store.last_position().await.unwrap(), None);
}
