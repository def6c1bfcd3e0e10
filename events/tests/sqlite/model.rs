//! Whatever is asked in whatever order: the file answers as the store in memory does, reopened or not.

use bytes::Bytes;
use carnet_events::envelope::NewEvent;
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::sqlite::SqliteStore;
use carnet_events::store::{Direction, EventStore, Expected, Filter, ReadFrom};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;
use proptest::collection::vec;
use proptest::prelude::*;
use uuid::Uuid;

use super::Sqlite;

/// Few streams and few ids, so that repetitions and conflicts are common.
const STREAMS: [&str; 3] = ["export-a", "directory-a", "directory-b"];

#[derive(Debug, Clone)]
enum Ask {
    Append {
        stream: usize,
        expected: Expected,
        ids: Vec<u128>,
    },
    Erase {
        stream: usize,
    },
    Reopen,
}

fn ask() -> impl Strategy<Value = Ask> {
    let stream = || 0..STREAMS.len();
    let expected = prop_oneof![
        Just(Expected::Any),
        Just(Expected::NoStream),
        Just(Expected::Exists),
        (0..6_u64).prop_map(Expected::Exact),
    ];
    prop_oneof![
        20 => (stream(), expected, vec(0..12_u128, 0..4))
            .prop_map(|(stream, expected, ids)| Ask::Append { stream, expected, ids }),
        1 => stream().prop_map(|stream| Ask::Erase { stream }),
        1 => Just(Ask::Reopen),
    ]
}

fn name(stream: usize) -> StreamName {
    STREAMS[stream].parse().unwrap()
}

fn event(id: u128) -> NewEvent {
    NewEvent {
        id: Uuid::from_u128(id),
        kind: if id.is_multiple_of(2) { "even" } else { "odd" }.into(),
        data: id.to_string().into(),
        metadata: Bytes::new(),
    }
}

/// Everything that can be seen of a store.
async fn seen(store: &dyn EventStore) -> String {
    let mut seen = format!("{:?}", store.last_position().await);
    for stream in 0..STREAMS.len() {
        let events = store.read(
            &name(stream),
            ReadFrom::End,
            Direction::Backwards,
            usize::MAX,
        );
        seen += &format!(
            "\n{:?} {:?}",
            store.head(&name(stream)).await,
            events.try_collect::<Vec<_>>().await
        );
    }
    let odd = store.read_all(None, Filter::all().kinds(["odd"]), usize::MAX);
    seen + &format!("\n{:?}", odd.try_collect::<Vec<_>>().await)
}

async fn compare(asks: Vec<Ask>) {
    let (directory, model) = (Sqlite::new(), MemoryStore::new());
    let mut store: SqliteStore = directory.store();
    for ask in asks {
        match ask {
            Ask::Append {
                stream,
                expected,
                ids,
            } => {
                let events: Vec<NewEvent> = ids.into_iter().map(event).collect();
                let answer = store.append(&name(stream), expected, events.clone()).await;
                assert_eq!(answer, model.append(&name(stream), expected, events).await);
            }
            Ask::Erase { stream } => {
                assert_eq!(
                    store.erase(&name(stream)).await,
                    model.erase(&name(stream)).await
                );
            }
            Ask::Reopen => {
                drop(store);
                store = directory.store();
            }
        }
        assert_eq!(seen(&store).await, seen(&model).await);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn it_answers_as_the_memory_store_does(asks in vec(ask(), 1..30)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(compare(asks));
    }
}
