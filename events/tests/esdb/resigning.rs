//! A leader that steps down under load: what can be asked of a real cluster as of a stand-in.

use std::time::Duration;

use carnet_events::conformance::{batch, read, stream, texts};
use carnet_events::envelope::Recorded;
use carnet_events::store::{Access, Delivery, EventStore, Expected, Filter, StoreError, open};
use eventstore::Credentials;
use eventstore::operations::{Client, OperationalOptions};
use futures::TryStreamExt;
use percent_encoding::percent_decode_str;

use super::{Server, three};

const WRITERS: usize = 4;
const APPENDS: u64 = 120;

/// Has the node that leads step down; `false` when none could be asked.
async fn resign(url: &str) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap();
    let scheme = scheme.replace("kurrentdb", "esdb");
    let (user, hosts) = rest
        .rsplit_once('@')
        .map_or((None, rest), |(user, hosts)| (Some(user), hosts));
    let hosts = hosts
        .split_once("&namespace")
        .or(hosts.split_once("?namespace"));
    let hosts = hosts.map_or("", |(hosts, _)| hosts);
    let join = if hosts.contains('?') { '&' } else { '?' };
    let url = format!("{scheme}://{hosts}{join}nodePreference=leader");
    let client = Client::new(url.parse().unwrap());
    let mut options = OperationalOptions::default();
    if let Some((user, password)) = user.and_then(|user| user.split_once(':')) {
        let decoded = |text| percent_decode_str(text).decode_utf8().unwrap().into_owned();
        options = options.authenticated(Credentials::new(decoded(user), decoded(password)));
    }
    let resigned = tokio::time::timeout(Duration::from_secs(5), client.resign_node(&options)).await;
    resigned.is_ok_and(|resigned| resigned.is_ok())
}

/// Appends one event after the other, repeating each until the answer is definite, as everybody must.
async fn write(store: std::sync::Arc<dyn EventStore>, writer: usize) {
    let name = stream(&format!("resigned-{writer}"));
    for n in 0..APPENDS {
        let expected = n.checked_sub(1).map_or(Expected::NoStream, Expected::Exact);
        let events = batch(usize::try_from(n).unwrap(), 1);
        loop {
            match store.append(&name, expected, events.clone()).await {
                Ok(appended) => break assert_eq!(appended.last_revision, n),
                Err(StoreError::Unavailable { .. } | StoreError::Unknown { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn follow(store: std::sync::Arc<dyn EventStore>, count: usize) -> Vec<Recorded> {
    let mut seen: Vec<Recorded> = Vec::new();
    while seen.len() < count {
        let after = seen.last().map(|event| event.position);
        let mut followed = store.subscribe(after, Filter::all());
        while seen.len() < count
            && let Ok(Some(delivery)) = followed.try_next().await
        {
            if let Delivery::Event(event) = delivery {
                seen.push(event);
            }
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leaders_that_resign_under_load_lose_and_double_nothing() {
    let server = Server::real_or(three()).await;
    let store = open(&server.url, Access::ReadWrite).await.unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(store.clone(), writer)))
        .collect();
    let total = WRITERS * usize::try_from(APPENDS).unwrap();
    let followed = tokio::spawn(follow(store.clone(), total));
    let mut resigned = 0;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        resigned += usize::from(resign(&server.url).await);
    }
    assert!(
        resigned > 0,
        "no leader could be asked to resign: the user must be an administrator"
    );
    for writer in writers {
        writer.await.unwrap();
    }
    let seen = followed.await.unwrap();
    let all: Vec<Recorded> = store
        .read_all(None, Filter::all(), usize::MAX)
        .try_collect()
        .await
        .unwrap();
    assert!(
        seen == all,
        "a subscriber saw something else than the total order"
    );
    for writer in 0..WRITERS {
        let said = texts(&read(&*store, &stream(&format!("resigned-{writer}"))).await);
        assert_eq!(
            said,
            (0..APPENDS).map(|n| n.to_string()).collect::<Vec<_>>()
        );
    }
}
