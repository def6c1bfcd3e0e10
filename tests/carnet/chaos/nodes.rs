//! Three nodes under load: killed, paused past their leases, restarted in order, and their event store restarted beneath them.

use std::time::Duration;

use super::ledger::{Ledger, Tally, end};
use super::{Chance, setting};
use crate::nodes::engine::Engine;
use crate::support::{Cluster, Site};

const TENANTS: usize = 6;
const ROWS: u32 = 2_000;
const NODES: usize = 3;

/// Longer than it takes the others to see that a lease of three seconds has lapsed: half as much again, and a look each second.
const PAUSE: Duration = Duration::from_secs(9);

/// How long load's requests wait for a node that is paused.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_postgresql_lose_nothing_whatever_happens_to_them() {
    chaos(Engine::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_nodes_on_kurrentdb_lose_nothing_whatever_happens_to_them() {
    chaos(Engine::kurrentdb().await).await;
}

/// What happens to the nodes; each in turn.
#[derive(Debug, Clone, Copy)]
enum Blow {
    Killed,
    Paused,
    StoreRestarted,
    Restarted,
}

const BLOWS: [Blow; 4] = [
    Blow::Killed,
    Blow::Paused,
    Blow::StoreRestarted,
    Blow::Restarted,
];

async fn chaos(mut engine: Engine) {
    let rounds = setting("CARNET_NODES_ROUNDS", 4);
    let mut chance = Chance::seeded();
    let tenants: Vec<String> = (0..TENANTS)
        .map(|number| format!("tenant-{number}"))
        .collect();
    let site = Site::with_tenants(&tenants, ROWS);
    site.edit_config("[artifacts]\n", "[artifacts]\nsweep_after = \"1s\"\n");
    site.edit_config("window = \"24h\"", "window = \"1m\"");
    // Runs for a while, so that there is something to be taken over.
    site.add_slow_category("slow", 300_000);
    let tokens: Vec<String> = tenants
        .iter()
        .map(|tenant| site.token(tenant, "ada"))
        .collect();
    let mut cluster = Cluster::start(&site, &engine.url(), NODES);
    let ledger = Ledger::default();

    for round in 0..rounds {
        let load = tenants.iter().zip(&tokens).enumerate();
        let load = load.map(|(number, (tenant, token))| {
            let clients = (0..NODES).map(|node| cluster.impatient(node, token, PATIENCE));
            let categories = match number % 2 {
                0 => r#""slow","tickets""#,
                _ => r#""tickets","users""#,
            };
            ledger.load(tenant, clients.collect(), categories, number % 3 == 2)
        });
        let load = load.collect();
        tokio::time::sleep(chance.pause(300, 1_500)).await;
        let blow = BLOWS[usize::try_from(round).unwrap() % BLOWS.len()];
        let node = usize::try_from(chance.below(NODES as u64)).unwrap();
        strike(blow, node, &mut cluster, &mut engine, &mut chance).await;
        tokio::time::sleep(chance.pause(300, 1_500)).await;
        end(load).await;
        println!("{blow:?}: {} exports accepted so far", ledger.count());
    }

    // What was asked for just now may still be admitted, and only then be held to account.
    tokio::time::sleep(2 * PATIENCE).await;
    let clients = tenants.iter().zip(&tokens);
    let clients: Vec<_> = clients
        .map(|(tenant, token)| (tenant.clone(), cluster.clients(token)))
        .collect();
    let tally: Tally = ledger.check(&site, &clients).await;
    println!(
        "{rounds} rounds of {NODES} nodes on {}: {tally:?}",
        engine.name()
    );
}

async fn strike(
    blow: Blow,
    node: usize,
    cluster: &mut Cluster<'_>,
    engine: &mut Engine,
    chance: &mut Chance,
) {
    match blow {
        Blow::Killed => {
            cluster.kill(node);
            tokio::time::sleep(chance.pause(0, 2_000)).await;
            cluster.revive(node);
        }
        Blow::Paused => {
            cluster.node(node).signal("STOP");
            tokio::time::sleep(PAUSE).await;
            cluster.node(node).signal("CONT");
        }
        Blow::StoreRestarted => engine.restart().await,
        Blow::Restarted => {
            for node in 0..cluster.len() {
                cluster.stop(node);
                cluster.revive(node);
            }
        }
    }
}
