//! What was accepted, and what must have become of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::support::{Client, Site};

/// Examples of each kind in a complaint; a long run has thousands.
const SHOWN: usize = 5;

/// Ids of the exports that were answered `202`, by tenant.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(Arc<Mutex<BTreeMap<String, BTreeSet<String>>>>);

/// How many exports ended how.
pub(super) type Tally = BTreeMap<String, usize>;

impl Ledger {
    fn accept(&self, tenant: &str, export: String) {
        let mut accepted = self.0.lock().unwrap();
        accepted
            .entry(tenant.to_owned())
            .or_default()
            .insert(export);
    }

    fn of(&self, tenant: &str) -> BTreeSet<String> {
        let accepted = self.0.lock().unwrap();
        accepted.get(tenant).cloned().unwrap_or_default()
    }

    /// How many were accepted.
    pub(super) fn count(&self) -> usize {
        self.0.lock().unwrap().values().map(BTreeSet::len).sum()
    }

    /// Asks for one export after the other, of each client in turn, until the task is aborted.
    pub(super) fn load(
        &self,
        tenant: &str,
        clients: Vec<Client>,
        categories: &'static str,
        cancels: bool,
    ) -> JoinHandle<()> {
        let (ledger, tenant) = (self.clone(), tenant.to_owned());
        tokio::spawn(async move {
            for client in clients.iter().cycle() {
                ledger.ask(&tenant, client, categories, cancels).await;
            }
        })
    }

    async fn ask(&self, tenant: &str, client: &Client, categories: &str, cancels: bool) {
        let body = format!(r#"{{"categories":[{categories}]}}"#);
        let path = "/api/account-exports";
        let answer = client
            .try_send(reqwest::Method::POST, path, &[], Some(body))
            .await;
        match answer {
            Some(answer) if answer.status == 202 => {
                let id = answer.json()["id"].as_str().unwrap().to_owned();
                self.accept(tenant, id.clone());
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

    /// Waits until every export of these tenants is settled, then holds everything against the promises: through each
    /// client of a tenant all accepted exports are found, each is settled once, and what is completed verifies.
    pub(super) async fn check(&self, site: &Site, tenants: &[(String, Vec<Client>)]) -> Tally {
        let mut tally = Tally::new();
        let mut completed = BTreeSet::new();
        for (tenant, clients) in tenants {
            let accepted = self.of(tenant);
            for client in clients {
                let listed = all_exports(client).await;
                let lost: Vec<_> = accepted.difference(&listed).take(SHOWN).collect();
                assert!(
                    lost.is_empty(),
                    "{tenant}'s list lacks accepted exports: {lost:?}"
                );
            }
            // Each is looked at through one client, all in turn.
            let listed = all_exports(&clients[0]).await;
            for (id, client) in listed.into_iter().zip(clients.iter().cycle()) {
                let job = client.settled(&id).await;
                let status = job["status"].as_str().unwrap().to_owned();
                settled_once(client, &id, &status).await;
                if status == "completed" {
                    verify(site, client, &id).await;
                    completed.insert(id);
                }
                *tally.entry(status).or_default() += 1;
            }
        }
        assert!(
            tally.get("completed").is_some_and(|count| *count > 0),
            "nothing completed: {tally:?}"
        );
        // Whatever happened was done to nodes and stores; no export had a fault of its own.
        assert_eq!(tally.get("failed"), None, "{tally:?}");
        only_published_files_are_left(site, &completed).await;
        tally
    }
}

/// Ends the load; what it complained of is this test's complaint.
pub(super) async fn end(load: Vec<JoinHandle<()>>) {
    for task in load {
        task.abort();
        if let Err(ended) = task.await
            && ended.is_panic()
        {
            std::panic::resume_unwind(ended.into_panic());
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
