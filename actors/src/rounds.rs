//! What is done again and again: looking at the worklist, at the clock, at what is idle.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::dispatcher::{Fill, Offer};
use crate::purge::Purges;
use crate::reconciler::Reconciler;
use crate::rotation::Rotation;
use crate::shared::Shared;
use crate::takeover::Watch;
use crate::timers::Timers;
use crate::{changes, sweep};

/// The wait before the worklist is looked at out of turn. It may be behind, and name a whole page of exports that are done
/// already: then looking at once, again and again, would keep the store busy with nothing.
const BREATH: Duration = Duration::from_millis(20);

/// Starts all rounds.
pub(crate) fn start(shared: &Arc<Shared>) {
    let options = &shared.options;
    every(shared, options.round, |shared| async move {
        check_clock(&shared).await;
    });
    dispatch(shared);
    let own = Arc::clone(shared);
    spawn(shared, async move {
        let mut reconciler = Reconciler::default();
        loop {
            reconciler.round(&own).await;
            own.ports.clock.sleep(own.options.round).await;
        }
    });
    let own = Arc::clone(shared);
    spawn(shared, async move {
        let mut timers = Timers::default();
        loop {
            timers.round(&own).await;
            own.ports.clock.sleep(own.options.round).await;
        }
    });
    let own = Arc::clone(shared);
    spawn(shared, async move {
        let mut purges = Purges::default();
        loop {
            purges.round(&own).await;
            own.ports.clock.sleep(own.options.round).await;
        }
    });
    every(shared, options.sweep_after, |shared| async move {
        sweep::round(&shared).await;
    });
    after_every(shared, options.fold_records, |shared| async move {
        shared.access.flush(&shared).await;
    });
    after_every(shared, options.passivate_after, |shared| async move {
        shared.export_actors.passivate();
        shared.tenant_actors.passivate();
        shared.exports.age();
        shared.tenants.age();
        let (exports, tenants) = (shared.export_actors.len(), shared.tenant_actors.len());
        tracing::debug!(exports, tenants, "idle actors let go");
    });
    spawn(shared, changes::follow(Arc::clone(shared)));
    spawn(shared, changes::follow_purges(Arc::clone(shared)));
}

/// Compares this node's clock with the store's.
pub(crate) async fn check_clock(shared: &Arc<Shared>) {
    match shared.calls.probe().await {
        Ok(health) => shared.gate.clock_differs(health.clock_skew_ms),
        Err(error) => tracing::warn!(%error, "the event store can't be written"),
    }
}

/// Looks for waiting exports and for such whose runner is gone; before its time, too, when the dispatcher has run out of
/// work and the worklist had more.
fn dispatch(shared: &Arc<Shared>) {
    let round = Arc::clone(shared);
    spawn(shared, async move {
        let (mut watch, mut queued) = (Watch::default(), Rotation::default());
        loop {
            look_for_work(&round, &mut watch, &mut queued).await;
            tokio::select! {
                biased;
                () = round.rescan.notified() => round.ports.clock.sleep(BREATH).await,
                () = round.ports.clock.sleep(round.options.round) => {}
            }
        }
    });
}

async fn look_for_work(shared: &Arc<Shared>, watch: &mut Watch, queued: &mut Rotation) {
    if let Err(error) = shared.platform.refresh(shared).await {
        tracing::warn!(%error, "the platform's stream can't be read");
    }
    watch.look(shared).await;
    let after = queued.after();
    match shared
        .ports
        .worklist
        .queued(after, shared.options.page)
        .await
    {
        Ok(page) => {
            let is_all = after.is_none() && page.next.is_none();
            shared.backlog.store(!is_all, Ordering::Relaxed);
            for one in queued.turn(page) {
                shared.offer(Offer::fresh(one.tenant, one.export, one.not_before));
            }
        }
        Err(error) => tracing::warn!(%error, "waiting exports can't be told"),
    }
    if let Some(dispatcher) = shared.dispatcher.get() {
        dispatcher.do_send(Fill);
    }
}

/// Makes a round at once, and again after each period. A round that is cut short by the end is made up for at the next start.
fn every<F>(
    shared: &Arc<Shared>,
    period: Duration,
    round: impl Fn(Arc<Shared>) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let own = Arc::clone(shared);
    spawn(shared, async move {
        loop {
            round(Arc::clone(&own)).await;
            own.ports.clock.sleep(period).await;
        }
    });
}

/// Makes a round after each period; the end waits for it.
fn after_every<F>(
    shared: &Arc<Shared>,
    period: Duration,
    round: impl Fn(Arc<Shared>) -> F + Send + 'static,
) where
    F: Future<Output = ()> + Send,
{
    let own = Arc::clone(shared);
    let work = async move {
        let rest = || {
            own.stop_rounds
                .run_until_cancelled(own.ports.clock.sleep(period))
        };
        while rest().await.is_some() {
            round(Arc::clone(&own)).await;
        }
    };
    shared.rounds.spawn_on(work, &shared.runtime);
}

/// Runs `work` until the rounds are to end.
fn spawn(shared: &Arc<Shared>, work: impl Future<Output = ()> + Send + 'static) {
    let stop = shared.stop_rounds.clone();
    let work = async move {
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = work => {}
        }
    };
    shared.rounds.spawn_on(work, &shared.runtime);
}
