//! The suite once more behind a pooler that gives every transaction another connection.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use carnet_events::conformance::{Backend, batch, stream};
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, Direction, EventStore, Expected, Filter, ReadFrom, StoreError};
use futures::TryStreamExt;
use futures::future::join_all;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::connect::connect;
use crate::server::bouncer::Bouncer;
use crate::server::{Postgres, SMALL, shared};
use crate::support::Schema;

struct Pooled(Schema, Bouncer);

impl Pooled {
    fn new() -> Self {
        Self(Schema::new(), Bouncer::start(shared::port(), 4).unwrap())
    }
}

#[async_trait]
impl Backend for Pooled {
    async fn open(&self) -> Arc<dyn EventStore> {
        let url = self.0.at(&self.1.before(&shared::url()));
        Arc::new(PostgresStore::open(&url, Access::ReadWrite).await.unwrap())
    }

    async fn another(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }
}

carnet_events::conformance_suite!(Pooled::new());

/// Notifications don't come through; what another node wrote is found all the same, and what follows quickly.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_write_is_found_without_notifications() {
    let pooled = Pooled::new();
    let (one, other) = (pooled.open().await, pooled.open().await);
    crate::nodes::follow_another(&*one, &*other, 20).await;
}

/// An address that leads to one server, and to another once that is said, as after a failover.
struct Leading {
    port: u16,
    to: watch::Sender<u16>,
}

impl Leading {
    async fn to(first: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (to, leads) = watch::channel(first);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut leads = leads.clone();
                tokio::spawn(async move {
                    let to = *leads.borrow_and_update();
                    let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                    tokio::select! {
                        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                        _ = leads.changed() => {}
                    }
                });
            }
        });
        Self { port, to }
    }
}

/// Waits until a server answers there that follows another, or one that doesn't.
async fn until_recovering(url: &str, wanted: bool) {
    for _ in 0..3_000 {
        if let Ok(connection) = connect(url).await {
            let sql = "SELECT pg_is_in_recovery()";
            let asked = connection.query_typed_one(sql, &[]).await;
            if asked.is_ok_and(|row| row.get::<_, bool>(0) == wanted) {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it is another server that answers, or none");
}

/// The pooler keeps the clients' connections through a failover, so it is no use to have asked once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_standby_behind_the_pooler_is_not_believed() {
    let primary = Postgres::start(&[SMALL]).unwrap();
    let leading = Leading::to(primary.port()).await;
    let bouncer = Bouncer::start(leading.port, 4).unwrap();
    let url = bouncer.before(&primary.url("postgres"));
    let store = PostgresStore::open(&url, Access::ReadWrite).await.unwrap();
    let name = stream("kept");
    let appended = store.append(&name, Expected::NoStream, batch(0, 2)).await;
    appended.unwrap();
    let standby = Postgres::standby_of(&primary, &[]).unwrap();
    until_recovering(&standby.url("postgres"), true).await;
    // Whether a connection of the store outlives the failover is the pooler's affair; in some round one does.
    let mut believed_before = false;
    for _ in 0..20 {
        // Many connections, each of which knows its server for the primary.
        join_all((0..8).map(|_| store.head(&name))).await;

        leading.to.send(standby.port()).unwrap();
        until_recovering(&url, true).await;
        let page = store.read(&name, ReadFrom::Start, Direction::Forwards, 9);
        let all = store.read_all(None, Filter::all(), 9);
        let answers = [
            store.head(&name).await.map(drop),
            store.last_position().await.map(drop),
            page.try_collect::<Vec<_>>().await.map(drop),
            all.try_collect::<Vec<_>>().await.map(drop),
        ];
        for answer in &answers {
            assert!(
                matches!(answer, Err(StoreError::Unavailable { .. })),
                "{answers:?}"
            );
        }
        believed_before |= format!("{answers:?}").contains("a standby answered");

        leading.to.send(primary.port()).unwrap();
        until_recovering(&url, false).await;
        while store.head(&name).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        if believed_before {
            return;
        }
    }
    panic!("no connection of the store was kept through a failover");
}
