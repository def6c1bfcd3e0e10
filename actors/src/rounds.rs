//! What is done again and again: looking at the worklist, at the clock, at what is idle.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::dispatcher::{Fill, Offer};
use crate::shared::Shared;
use crate::takeover::Watch;
use crate::{changes, reconciler, sweep, timers};

/// Entries of the worklist looked at in one round.
pub(crate) const PAGE: usize = 1024;

/// Starts all rounds.
pub(crate) fn start(shared: &Arc<Shared>) {
    let options = &shared.options;
    every(shared, options.round, |shared| async move {
        check_clock(&shared).await;
    });
    dispatch(shared);
    every(shared, options.round, |shared| async move {
        reconciler::round(&shared).await;
    });
    every(shared, options.round, |shared| async move {
        timers::round(&shared).await;
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
}

/// Compares this node's clock with the store's.
pub(crate) async fn check_clock(shared: &Arc<Shared>) {
    match shared.ports.store.probe().await {
        Ok(health) => {
            let tolerated = shared.options.max_clock_skew;
            shared.gate.clock_differs(health.clock_skew_ms, tolerated);
        }
        Err(error) => tracing::warn!(%error, "the event store can't be written"),
    }
}

/// Looks for waiting exports and for such whose runner is gone; before its time, too, when the dispatcher has run out of
/// work and the worklist had more.
fn dispatch(shared: &Arc<Shared>) {
    let round = Arc::clone(shared);
    spawn(shared, async move {
        let mut watch = Watch::default();
        loop {
            look_for_work(&round, &mut watch).await;
            tokio::select! {
                () = round.ports.clock.sleep(round.options.round) => {}
                () = round.rescan.notified() => {}
            }
        }
    });
}

async fn look_for_work(shared: &Arc<Shared>, watch: &mut Watch) {
    if let Err(error) = shared.platform.refresh(shared).await {
        tracing::warn!(%error, "the platform's stream can't be read");
    }
    match shared.ports.worklist.running(PAGE).await {
        Ok(running) => watch.look(shared, &running).await,
        Err(error) => tracing::warn!(%error, "running exports can't be told"),
    }
    match shared.ports.worklist.queued(PAGE).await {
        Ok(queued) => {
            shared
                .backlog
                .store(queued.len() >= PAGE, Ordering::Relaxed);
            for one in queued {
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
            () = stop.cancelled() => {}
            () = work => {}
        }
    };
    shared.rounds.spawn_on(work, &shared.runtime);
}
