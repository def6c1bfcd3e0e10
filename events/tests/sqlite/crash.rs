use super::Sqlite;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn victim() {
    carnet_events::conformance::crash::victim().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_survives_kill_nine() {
    carnet_events::conformance::crash::survives(&Sqlite::new().url(), "crash::victim", 12).await;
}
