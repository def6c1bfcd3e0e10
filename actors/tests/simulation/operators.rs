//! Operators, who intervene for no reason that anybody could see.

use std::sync::Arc;
use std::time::Duration;

use carnet_actors::ports::Ids as _;
use carnet_actors::{Cause, Order, System};
use carnet_events::domain::tenant::{LimitKind, TenantCommand};
use carnet_events::ids::{ExportId, PrincipalId, TenantId};
use tokio::time::{sleep, timeout};

use crate::people::Intake;
use crate::world::World;

/// How long an operator waits for an answer.
const PATIENCE: Duration = Duration::from_secs(20);

fn by() -> PrincipalId {
    PrincipalId::new("op-1").unwrap()
}

fn order() -> Order {
    Order {
        by: by(),
        reason: "it seemed right".to_owned(),
        cause: Cause::default(),
    }
}

/// Acts until it is time for calm.
pub async fn work(world: Arc<World>) {
    loop {
        sleep(world.chance.seconds(2, 15)).await;
        if world.is_calm() {
            return;
        }
        let node = world.chance.pick(&world.nodes);
        if let Some(system) = node.and_then(|node| node.system()) {
            let _ = timeout(PATIENCE, act(&world, &system)).await;
        }
    }
}

async fn act(world: &World, system: &System) {
    let chance = &world.chance;
    let tenant = chance.pick(&world.tenants).unwrap().clone();
    let known = world.known.lock().unwrap().clone();
    let latest: Vec<_> = known.iter().rev().take(8).collect();
    let export = chance.pick(&latest).map(|(_, export)| *export);
    match (chance.below(100), export) {
        (0..12, _) => intake(world, system).await,
        (12..22, _) => {
            let node = chance.pick(&world.nodes).unwrap().id;
            let _ = system.drain(node, chance.percent(40), order()).await;
        }
        (22..40, Some(export)) => {
            let _ = system.requeue(export, order()).await;
        }
        (40..46, Some(export)) => {
            let _ = system.fail(export, order()).await;
        }
        (46..62, Some(export)) => {
            let _ = system.hold(export, chance.percent(50), order()).await;
        }
        (62..76, _) => tenant_act(system, &tenant, exemption(world)).await,
        (76..84, _) => tenant_act(system, &tenant, TenantCommand::Close { principal: by() }).await,
        (84..96, _) => tenant_act(system, &tenant, TenantCommand::Reopen { principal: by() }).await,
        _ => {
            let cancel = TenantCommand::Cancel {
                grace: chance.seconds(5, 60),
                principal: by(),
            };
            tenant_act(system, &tenant, cancel).await;
            sleep(chance.seconds(0, 10)).await;
            tenant_act(
                system,
                &tenant,
                TenantCommand::Reactivate { principal: by() },
            )
            .await;
        }
    }
}

async fn tenant_act(system: &System, tenant: &TenantId, command: TenantCommand) {
    let _ = system.act_on_tenant(tenant, command, order()).await;
}

fn exemption(world: &World) -> TenantCommand {
    let chance = &world.chance;
    TenantCommand::GrantExemption {
        id: chance.random().to_string(),
        limit: match chance.percent(50) {
            true => LimitKind::User,
            false => LimitKind::Tenant,
        },
        count: 1 + chance.below(3) as u32,
        until: world.time.now().plus(chance.seconds(5, 120)),
        person: None,
        principal: by(),
    }
}

/// Pauses the intake for some time.
async fn intake(world: &World, system: &System) {
    if let Ok(Some(written)) = system.pause_intake(true, order()).await {
        let pause = u32::try_from(written.revision).unwrap();
        *world.intake.lock().unwrap() = Intake::Paused(pause);
        sleep(world.chance.seconds(1, 12)).await;
    }
    *world.intake.lock().unwrap() = Intake::Perhaps;
    let _ = system.pause_intake(false, order()).await;
}

/// Undoes what must not last: else nothing would ever end.
pub async fn put_right(world: Arc<World>) {
    *world.intake.lock().unwrap() = Intake::Perhaps;
    let known: Vec<ExportId> = world.checker.lock().unwrap().known();
    let mut done = false;
    while !done {
        sleep(Duration::from_secs(5)).await;
        let node = world.chance.pick(&world.nodes);
        if let Some(system) = node.and_then(|node| node.system()) {
            let all = timeout(Duration::from_secs(60), undo(&world, &system, &known));
            done = all.await.unwrap_or(false);
        }
    }
}

async fn undo(world: &World, system: &System, known: &[ExportId]) -> bool {
    let mut done = system.pause_intake(false, order()).await.is_ok();
    for node in &world.nodes {
        done &= system.drain(node.id, false, order()).await.is_ok();
    }
    for export in known {
        // A refusal is as good: then there is nothing to hold.
        done &= match system.hold(*export, false, order()).await {
            Ok(_) => true,
            Err(error) => !error.is_transient(),
        };
    }
    done
}
