//! `kill -9` of the only process there is, at any instant, restarted on the same files.

use super::ledger::{Ledger, end};
use super::{Chance, setting};
use crate::support::{Server, Site};

const TENANTS: usize = 8;
const ROWS: u32 = 3_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kill_9_loses_nothing_and_publishes_nothing_half_written() {
    let rounds = setting("CARNET_KILL_ROUNDS", 5);
    let mut chance = Chance::seeded();
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
        let load = tenants.iter().zip(&tokens).enumerate();
        let load = load.map(|(number, (tenant, token))| {
            let clients = vec![server.client(token)];
            ledger.load(tenant, clients, r#""tickets","users""#, number % 4 == 3)
        });
        let load = load.collect();
        tokio::time::sleep(chance.pause(30, 1_500)).await;
        server.kill();
        end(load).await;
        if rounds > 20 && round % 20 == 19 {
            println!("{} rounds, {} exports accepted", round + 1, ledger.count());
        }
    }

    let server = Server::start(&site);
    let clients = tenants.iter().zip(&tokens);
    let clients: Vec<_> = clients
        .map(|(tenant, token)| (tenant.clone(), vec![server.client(token)]))
        .collect();
    let tally = ledger.check(&site, &clients).await;
    println!("{rounds} rounds of kill -9: {tally:?}");
}
