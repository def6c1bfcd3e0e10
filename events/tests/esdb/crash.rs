//! `kill -9` of the process that writes; the server stays.

use super::Server;
use carnet_events::standin::Options;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    carnet_events::conformance::crash::victim().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_nine() {
    let server = Server::real_or(Options::default()).await;
    carnet_events::conformance::crash::survives(&server.url, "crash::victim", 6).await;
}
