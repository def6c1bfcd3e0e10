//! Getting in: users, certificates, namespaces, reading only; and what erasing leaves.

use std::time::Instant;

use carnet_events::conformance::{batch, event, read, stream};
use carnet_events::ids::TenantId;
use carnet_events::standin::{Cluster, Options};
use carnet_events::store::{Access, Expected, Filter, StoreError, open};
use carnet_events::stream::StreamName;
use futures::TryStreamExt;

async fn writes(url: &str) -> Result<(), StoreError> {
    let store = open(url, Access::ReadWrite).await?;
    store
        .append(&stream("written"), Expected::Any, batch(0, 1))
        .await?;
    assert!(!read(&*store, &stream("written")).await.is_empty());
    Ok(())
}

fn guarded() -> Options {
    Options {
        nodes: 3,
        tls: true,
        user: Some(("ad@min".to_owned(), "p:/ä %s&?#".to_owned())),
        ..Options::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_an_odd_password_gets_in_over_tls() {
    let cluster = Cluster::start(guarded()).await;
    writes(&cluster.url()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_and_not_repeated() {
    let cluster = Cluster::start(guarded()).await;
    let begun = Instant::now();
    let url = cluster.url();
    let (_, hosts) = url.split_once('@').unwrap();
    let error = writes(&format!("esdb://ad%40min:hunter2@{hosts}"))
        .await
        .unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error:?}");
    let said = error.to_string();
    assert!(
        said.contains("password") && !said.contains("hunter2"),
        "{said}"
    );
    assert!(begun.elapsed().as_secs() < 10, "it was tried again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_another_authority_is_refused_unless_unverified() {
    let cluster = Cluster::start(Options {
        tls: true,
        ..Options::default()
    })
    .await;
    let other = Cluster::start(Options {
        tls: true,
        ..Options::default()
    })
    .await;
    let file = |cluster: &Cluster| cluster.ca_file().unwrap().display().to_string();
    let url = cluster.url().replace(&file(&cluster), &file(&other));
    let error = writes(&url).await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
    writes(&format!("{url}&tlsVerifyCert=false")).await.unwrap();
    let missing = cluster.url().replace(&file(&cluster), "/nowhere/ca.pem");
    let error = writes(&missing).await.unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("tlsCaFile") && said.contains("/nowhere/ca.pem"),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_not_there_is_unavailable() {
    let error = writes("esdb://127.0.0.1:1?tls=false").await.unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{error:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn namespaces_do_not_see_each_other() {
    let cluster = Cluster::start(Options::default()).await;
    let url = |namespace: &str| format!("{}&namespace={namespace}", cluster.url());
    let mut stores = Vec::new();
    for namespace in ["a", "ab", "a-b"] {
        let store = open(&url(namespace), Access::ReadWrite).await.unwrap();
        store
            .append(&stream("same"), Expected::NoStream, vec![event(namespace)])
            .await
            .unwrap();
        store.probe().await.unwrap();
        stores.push((namespace, store));
    }
    for (namespace, store) in stores {
        let all: Vec<_> = store
            .read_all(None, Filter::all(), usize::MAX)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all.len(), 1);
        assert_eq!(all[0].data, namespace.as_bytes());
        assert_eq!(store.last_position().await.unwrap(), Some(all[0].position));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reading_only_writes_nothing() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadOnly).await.unwrap();
    let before = cluster.records();
    let name = stream("none");
    assert_eq!(store.head(&name).await.unwrap(), None);
    assert_eq!(store.last_position().await.unwrap(), None);
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    for refused in [
        store.append(&name, Expected::Any, batch(0, 1)).await.err(),
        store.erase(&directory).await.err(),
        store.probe().await.err(),
    ] {
        assert!(matches!(refused, Some(StoreError::Refused { .. })));
    }
    assert_eq!(cluster.records(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasing_hides_at_once_and_scavenging_takes_the_bytes() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let other = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    let directory = StreamName::directory(&TenantId::new("acme").unwrap());
    store
        .append(&directory, Expected::NoStream, vec![event("Ada Lovelace")])
        .await
        .unwrap();
    // Another process knows the stream, and must learn that it is gone.
    other
        .append(&directory, Expected::Exact(0), vec![event("Grace Hopper")])
        .await
        .unwrap();
    store.erase(&directory).await.unwrap();
    for store in [&store, &other] {
        let all: Vec<_> = store
            .read_all(None, Filter::all(), usize::MAX)
            .try_collect()
            .await
            .unwrap();
        assert_eq!(all, []);
        let error = store
            .append(&directory, Expected::Exact(1), batch(0, 1))
            .await;
        assert!(
            matches!(error, Err(StoreError::Refused { .. })),
            "{error:?}"
        );
    }
    assert!(cluster.holds(b"Ada Lovelace"));
    cluster.scavenge();
    assert!(!cluster.holds(b"Ada Lovelace") && !cluster.holds(b"Grace Hopper"));
    assert_eq!(store.head(&directory).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_off_is_told_to_the_millisecond() {
    let cluster = Cluster::start(Options::default()).await;
    let store = open(&cluster.url(), Access::ReadWrite).await.unwrap();
    assert_eq!(store.probe().await.unwrap().clock_skew_ms, Some(0));
    for off in [-7_321, 6_543] {
        cluster.skew_clocks(off);
        let begun = Instant::now();
        let skew = store.probe().await.unwrap().clock_skew_ms.unwrap();
        // Less by however long the probe took at most.
        let probed = i64::try_from(begun.elapsed().as_millis()).unwrap();
        assert!((skew - off).abs() <= probed + 5, "{skew} instead of {off}");
    }
}

/// A provider that is there already would make the client crate panic; it is said instead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_tls_provider_installed_first_is_no_panic() {
    if std::env::var_os("NEXTEST").is_none() {
        // It is installed for the whole process, which is this test's own only there.
        return;
    }
    let cluster = Cluster::start(Options::default()).await;
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .unwrap();
    let error = writes(&cluster.url()).await.unwrap_err();
    assert!(
        error.to_string().contains("open the store first"),
        "{error}"
    );
}
