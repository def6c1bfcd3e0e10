//! The stand-in, and with it the store's own calls, speak what the `eventstore` crate does: everything the crate reads of
//! it is what the store wrote, and the other way round.

use carnet_events::conformance::{batch, event, read, stream};
use carnet_events::standin::Cluster;
use carnet_events::store::{Access, Expected, open};
use eventstore::{
    Client, ReadAllOptions, ReadStreamOptions, StreamPosition, SubscribeToAllOptions,
    SubscriptionEvent, SubscriptionFilter,
};

use super::three;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crate_reads_what_the_store_wrote() {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let name = stream("export-1");
    let events = batch(0, 3);
    let appended = store
        .append(&name, Expected::NoStream, events.clone())
        .await
        .unwrap();
    let recorded = read(&*store, &name).await;

    // The crate finds the leader by the gossip of all three.
    let url = format!("{}&nodePreference=leader", cluster.url());
    let client = Client::new(url.parse().unwrap()).unwrap();
    assert_eq!(client.server_info().await.unwrap().version().major(), 24);
    let options = ReadStreamOptions::default().position(StreamPosition::Start);
    let mut stream = client
        .read_stream("carnet.export-1", &options)
        .await
        .unwrap();
    for (n, event) in events.iter().enumerate() {
        let read = stream.next().await.unwrap().unwrap();
        let read = read.get_original_event();
        assert_eq!((read.id, read.revision), (event.id, n as u64));
        assert_eq!(read.event_type, event.kind);
        assert_eq!(
            (&read.data, &read.custom_metadata),
            (&event.data, &event.metadata)
        );
        assert_eq!(read.position.commit, recorded[n].position.commit);
        assert!(!read.is_json && read.created.timestamp() > 0);
    }
    assert!(stream.next().await.unwrap().is_none());

    let last = ReadAllOptions::default()
        .backwards()
        .position(StreamPosition::End)
        .max_count(64);
    let mut all = client.read_all(&last).await.unwrap();
    let mut ours = Vec::new();
    while let Some(event) = all.next().await.unwrap() {
        let event = event.get_original_event();
        if event.stream_id == "carnet.export-1" {
            ours.push(event.position.prepare);
        }
    }
    assert_eq!(ours.first(), Some(&appended.position.prepare));
    assert_eq!(ours.len(), 3);

    let missing = client.read_stream("carnet.export-2", &options).await;
    assert!(matches!(
        missing.unwrap().next().await,
        Err(eventstore::Error::ResourceNotFound)
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_crate_follows_with_a_filter() {
    let cluster = Cluster::start(three()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let client = Client::new(cluster.url().parse().unwrap()).unwrap();
    let filter = SubscriptionFilter::on_stream_name()
        .add_prefix("carnet.")
        .max(4);
    let options = SubscribeToAllOptions::default().filter(filter);
    let mut followed = client.subscribe_to_all(&options).await;
    let name = stream("followed");
    let event = event("first");
    store
        .append(&name, Expected::NoStream, vec![event.clone()])
        .await
        .unwrap();
    let (mut confirmed, mut checkpoints, mut caught_up) = (false, 0, false);
    loop {
        match followed.next_subscription_event().await.unwrap() {
            SubscriptionEvent::Confirmed(_) => confirmed = true,
            SubscriptionEvent::Checkpoint(_) => checkpoints += 1,
            SubscriptionEvent::CaughtUp => caught_up = true,
            SubscriptionEvent::EventAppeared(read) => {
                assert_eq!(read.get_original_event().id, event.id);
                break;
            }
            _ => {}
        }
    }
    assert!(confirmed && (caught_up || checkpoints > 0));
}
