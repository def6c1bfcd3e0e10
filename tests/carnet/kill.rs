//! `kill -9` at any instant: no accepted export is lost, each ends in exactly one terminal state, every published file
//! verifies, and nothing half-written is left behind.
//!
//! A few rounds run with the other tests; `tests/run kill 200` runs as many as asked. `CARNET_KILL_SEED` repeats a run's
//! pauses, though not the operating system's scheduling.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{Client, Server, Site};

const TENANTS: usize = 8;
const ROWS: u32 = 3_000;
/// Examples of each kind in a complaint; a long run has thousands.
const SHOWN: usize = 5;

/// Ids of the exports that were answered `202`, by tenant.
type Ledger = Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_and_publishes_nothing_half_written() {
    let setting = |name: &str, default: u64| {
        std::env::var(name).map_or(default, |value| value.parse().expect("a number"))
    };
    let rounds = setting("CARNET_KILL_ROUNDS", 5);
    let mut pauses = Pauses(setting("CARNET_KILL_SEED", 7));
    let tenants: Vec<String> = (0..TENANTS)
        .map(|number| format!("tenant-{number}"))
        .collect();
    let site = Site::with_tenants(&tenants, ROWS);
    site.edit_config("[artifacts]\n", "[artifacts]\nsweep_after = \"1s\"\n");
    // The longest runs accept more than the largest limit in a day.
    site.edit_config("window = \"24h\"", "window = \"1m\"");
    let tokens: Vec<String> = tenants
        .iter()
        .map(|tenant| site.token(tenant, "ada"))
        .collect();
    let ledger = Ledger::default();

    for round in 0..rounds {
        let server = Server::start(&site);
        let load: Vec<_> = tenants
            .iter()
            .zip(&tokens)
            .enumerate()
            .map(|(number, (tenant, token))| {
                let client = server.client(token);
                let cancels = number % 4 == 3;
                tokio::spawn(load(client, tenant.clone(), cancels, Arc::clone(&ledger)))
            })
            .collect();
        tokio::time::sleep(pauses.next()).await;
        server.kill();
        for task in load {
            task.abort();
            // Ended by us, or by an answer that must not be.
            if let Err(ended) = task.await
                && ended.is_panic()
            {
                std::panic::resume_unwind(ended.into_panic());
            }
        }
        if rounds > 20 && round % 20 == 19 {
            let accepted: usize = ledger.lock().unwrap().values().map(BTreeSet::len).sum();
            println!("{} rounds, {accepted} exports accepted", round + 1);
        }
    }

    let server = Server::start(&site);
    let mut tally: BTreeMap<String, usize> = BTreeMap::new();
    let mut completed = BTreeSet::new();
    for (tenant, token) in tenants.iter().zip(&tokens) {
        let client = server.client(token);
        let accepted = ledger
            .lock()
            .unwrap()
            .get(tenant)
            .cloned()
            .unwrap_or_default();
        let listed = all_exports(&client).await;
        let lost: Vec<_> = accepted.difference(&listed).take(SHOWN).collect();
        assert!(
            lost.is_empty(),
            "{tenant}'s list lacks accepted exports: {lost:?}"
        );
        for id in listed {
            let job = client.settled(&id).await;
            let status = job["status"].as_str().unwrap().to_owned();
            settled_once(&client, &id, &status).await;
            if status == "completed" {
                verify(&site, &client, &id).await;
                completed.insert(id.clone());
            }
            *tally.entry(status).or_default() += 1;
        }
    }
    println!("{rounds} rounds of kill -9: {tally:?}");
    assert!(
        tally.get("completed").is_some_and(|count| *count > 0),
        "nothing completed: {tally:?}"
    );
    only_published_files_are_left(&site, &completed).await;
}

/// Asks for one export after the other until the connection breaks.
async fn load(client: Client, tenant: String, cancels: bool, ledger: Ledger) {
    let body = r#"{"categories":["tickets","users"]}"#;
    loop {
        let path = "/api/account-exports";
        let answer = client
            .try_send(reqwest::Method::POST, path, &[], Some(body.to_owned()))
            .await;
        match answer {
            Some(answer) if answer.status == 202 => {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                ledger
                    .lock()
                    .unwrap()
                    .entry(tenant.clone())
                    .or_default()
                    .insert(id.clone());
                if cancels {
                    let path = format!("/api/account-exports/{id}/cancel");
                    client
                        .try_send(reqwest::Method::POST, &path, &[], None)
                        .await;
                }
            }
            Some(answer) => {
                assert!(matches!(answer.status.as_u16(), 409 | 503), "{answer:?}");
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            None => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
}

async fn all_exports(client: &Client) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for page in 1.. {
        let path = format!("/api/account-exports?page={page}&page_size=200");
        let answer = client.get(&path).await.expect(200).json();
        let items = answer["items"].as_array().unwrap();
        found.extend(
            items
                .iter()
                .map(|job| job["id"].as_str().unwrap().to_owned()),
        );
        if items.is_empty() {
            assert_eq!(answer["total"], found.len());
            break;
        }
    }
    found
}

async fn settled_once(client: &Client, id: &str, status: &str) {
    let history = client
        .get(&format!("/api/account-exports/{id}/history"))
        .await
        .expect(200)
        .json();
    let settled: Vec<&str> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|event| event["type"].as_str())
        .filter(|kind| matches!(*kind, "completed" | "failed" | "cancelled"))
        .collect();
    assert_eq!(settled, [status], "{id} is {status}");
}

async fn verify(site: &Site, client: &Client, id: &str) {
    let path = format!("/api/account-exports/{id}/download?as=stored");
    let answer = client.get(&path).await.expect(200);
    let file = site.path().join("downloaded.json.gz");
    std::fs::write(&file, &answer.body).unwrap();
    let output = site.carnet(&["verify", "--json", file.to_str().unwrap()]);
    assert!(
        output.status.success(),
        "{id}: {}",
        String::from_utf8_lossy(&output.stdout)
    );
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["verdict"], "intact", "{report}");
}

/// Waits for the sweep, then holds the folder against what is published.
async fn only_published_files_are_left(site: &Site, completed: &BTreeSet<String>) {
    let patience = Instant::now() + Duration::from_secs(60);
    loop {
        let files = site.artifact_files();
        let mut artifacts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut strays = Vec::new();
        for file in &files {
            let text = file.to_str().unwrap();
            let owner = completed.iter().find(|id| text.contains(id.as_str()));
            match owner {
                Some(id) if text.ends_with(".json.gz") => *artifacts.entry(id).or_default() += 1,
                None if text.split('/').any(|part| part.starts_with("tenant-")) => {
                    strays.push(text)
                }
                _ => {}
            }
        }
        let missing: Vec<&String> = completed
            .iter()
            .filter(|id| !artifacts.contains_key(id.as_str()))
            .collect();
        artifacts.retain(|_, count| *count > 1);
        if missing.is_empty() && artifacts.is_empty() && strays.is_empty() {
            return;
        }
        assert!(
            Instant::now() < patience,
            "of {} published, {} have no file: {:?}; {} have several: {:?}; {} files are of none: {:?}",
            completed.len(),
            missing.len(),
            missing.iter().take(SHOWN).collect::<Vec<_>>(),
            artifacts.len(),
            artifacts.iter().take(SHOWN).collect::<Vec<_>>(),
            strays.len(),
            strays.iter().take(SHOWN).collect::<Vec<_>>(),
        );
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Pauses of 30 ms to 1.5 s from a fixed sequence (SplitMix64).
struct Pauses(u64);

impl Pauses {
    fn next(&mut self) -> Duration {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        Duration::from_millis(30 + (z ^ (z >> 31)) % 1_470)
    }
}
