//! What goes wrong.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::sleep;

use crate::node::Node;
use crate::world::World;

/// Makes trouble until it is time for calm.
pub async fn make(world: Arc<World>) {
    let chance = world.chance.clone();
    // Some lives are harder than others.
    let pause = 2 + chance.below(25) as u64;
    loop {
        sleep(chance.seconds(1, pause)).await;
        if world.is_calm() {
            return;
        }
        let node = Arc::clone(&world.nodes[chance.below(world.nodes.len())]);
        let one = strike(Arc::clone(&world), node, chance.below(100));
        tokio::spawn(one);
    }
}

async fn strike(world: Arc<World>, node: Arc<Node>, what: usize) {
    let chance = &world.chance;
    match what {
        0..25 => {
            if node.is_there() {
                node.crash(&world);
                sleep(chance.seconds(0, 25)).await;
                Arc::clone(&node).boot(Arc::clone(&world)).await;
            }
        }
        25..45 => node.pause(&world, chance.seconds(1, 40)).await,
        45..60 => {
            world
                .trace
                .line(&format!("node {}", node.number), "== cut off");
            node.cable.cut.store(true, Ordering::Relaxed);
            sleep(chance.seconds(1, 40)).await;
            node.cable.cut.store(false, Ordering::Relaxed);
            world
                .trace
                .line(&format!("node {}", node.number), "== reached again");
        }
        60..68 => {
            world.trace.line("store", "== down");
            world.server.down.store(true, Ordering::Relaxed);
            sleep(chance.seconds(1, 20)).await;
            world.server.down.store(false, Ordering::Relaxed);
            world.trace.line("store", "== up");
        }
        68..75 => {
            world.trace.line("bucket", "== down");
            world.bucket.down.store(true, Ordering::Relaxed);
            sleep(chance.seconds(1, 30)).await;
            world.bucket.down.store(false, Ordering::Relaxed);
            world.trace.line("bucket", "== up");
        }
        75..85 => jump(&world, &node).await,
        85..93 => {
            world.trace.line("lines", "== slow");
            world.weather.slow.store(true, Ordering::Relaxed);
            sleep(chance.seconds(1, 30)).await;
            world.weather.slow.store(false, Ordering::Relaxed);
            world.trace.line("lines", "== as fast as before");
        }
        _ => {
            if node.system().is_some() {
                node.stop(&world, chance.seconds(0, 10)).await;
                Arc::clone(&node).boot(Arc::clone(&world)).await;
            }
        }
    }
}

/// Sets a node's clock wrong for a while: by what nobody minds, or by far too much.
async fn jump(world: &World, node: &Node) {
    let chance = &world.chance;
    let by = match chance.percent(50) {
        true => chance.seconds(0, 4),
        false => chance.seconds(6, 3600),
    };
    let by = i64::try_from(by.as_millis()).unwrap();
    let by = if chance.percent(50) { by } else { -by };
    let name = format!("node {}", node.number);
    world.trace.line(&name, &format!("== clock off by {by} ms"));
    node.skew.set(by);
    sleep(chance.seconds(1, 60)).await;
    world.trace.line(&name, "== clock right");
    node.skew.set(0);
}

/// Puts everything right. What is under way comes to its end by itself.
pub fn end(world: &Arc<World>) {
    world.trace.line("all", "== calm");
    world.weather.bad.store(0, Ordering::Relaxed);
    world.weather.slow.store(false, Ordering::Relaxed);
    world.server.down.store(false, Ordering::Relaxed);
    world.bucket.down.store(false, Ordering::Relaxed);
    for node in &world.nodes {
        node.cable.cut.store(false, Ordering::Relaxed);
        node.skew.set(0);
        node.wake();
        let (world, node) = (Arc::clone(world), Arc::clone(node));
        // A late outage may have begun before the calm; nothing begins after it.
        tokio::spawn(async move {
            sleep(Duration::from_secs(45)).await;
            node.boot(world).await;
        });
    }
}
