//! `kill -9`: what was acknowledged survives the process, and nothing is there by halves.
//!
//! The test's own binary is started again as the victim: [`victim`] is a test that does nothing unless the environment
//! names a store, and then appends to it without end, telling every acknowledgement on its standard output.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{batch, read, stream};
use crate::store::{Access, EventStore, Expected, open};

const URL: &str = "CARNET_CRASH_URL";
const WRITERS: usize = 8;
/// Each append is a batch of this many, to see halves by.
const BATCH: usize = 3;

/// To be called by a test of the name given to [`survives`].
pub async fn victim() {
    let Ok(url) = std::env::var(URL) else { return };
    let store = open(&url, Access::ReadWrite).await.unwrap();
    let writers =
        (0..WRITERS).map(|writer| tokio::spawn(append_without_end(store.clone(), writer)));
    futures::future::join_all(writers).await;
}

async fn append_without_end(store: Arc<dyn EventStore>, writer: usize) {
    let name = stream(&format!("crash-{writer}"));
    let mut expected = store
        .head(&name)
        .await
        .unwrap()
        .map_or(Expected::NoStream, Expected::Exact);
    loop {
        let events = batch(0, BATCH);
        let last = events[BATCH - 1].id;
        let appended = store.append(&name, expected, events).await.unwrap();
        let revision = appended.last_revision;
        let mut out = std::io::stdout().lock();
        writeln!(out, "acknowledged {name} {revision} {last}").unwrap();
        out.flush().unwrap();
        expected = Expected::Exact(revision);
    }
}

/// Kills a process that writes to the store at `url`, in `rounds` different moments, and looks for what it was told.
/// `test` is the full name of the test that calls [`victim`].
pub async fn survives(url: &str, test: &str, rounds: u32) {
    let mut told = Vec::new();
    for round in 0..rounds {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(URL, url)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let enough = told.len() + 20 + round as usize * 7;
        while told.len() < enough {
            told.extend(acknowledged(
                &lines
                    .next()
                    .expect("the victim writes until it is killed")
                    .unwrap(),
            ));
        }
        std::thread::sleep(Duration::from_micros(u64::from(round) * 131));
        child.kill().unwrap();
        child.wait().unwrap();
        // Told before the end, but not read yet.
        told.extend(
            lines
                .map_while(Result::ok)
                .filter_map(|line| acknowledged(&line)),
        );
        check(url, &told).await;
    }
    assert!(told.len() > rounds as usize * 20);
}

async fn check(url: &str, told: &[(String, u64, Uuid)]) {
    let store = open(url, Access::ReadWrite).await.unwrap();
    for writer in 0..WRITERS {
        let name = stream(&format!("crash-{writer}"));
        let events = read(&*store, &name).await;
        assert_eq!(events.len() % BATCH, 0, "a batch is there by halves");
        assert!(
            (0..)
                .zip(&events)
                .all(|(revision, event)| event.revision == revision)
        );
        for (_, revision, id) in told.iter().filter(|(stream, ..)| stream == name.as_str()) {
            let event = events
                .get(*revision as usize)
                .expect("what was acknowledged is there");
            assert_eq!(event.id, *id);
        }
    }
}

fn acknowledged(line: &str) -> Option<(String, u64, Uuid)> {
    let mut words = line
        .split(' ')
        .skip_while(|word| !word.ends_with("acknowledged"))
        .skip(1);
    Some((
        words.next()?.to_owned(),
        words.next()?.parse().ok()?,
        words.next()?.parse().ok()?,
    ))
}
