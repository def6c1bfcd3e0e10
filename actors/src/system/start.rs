//! Beginning and end.

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, ArbiterHandle};
use carnet_events::recent::Recent;

use super::{Inner, Ports, System};
use crate::dispatcher::{Dispatcher, Stop};
use crate::error::{Error, StartError};
use crate::log::log_id;
use crate::options::Options;
use crate::rounds;
use crate::shared::Shared;
use crate::thread::{ActorThread, Home};

/// How long handing back and a last report may take once the grace is over; and then, writing what was counted.
const LAST_WORDS: Duration = Duration::from_secs(15);

impl System {
    /// Starts the actors: makes the log's id if the log is new, takes up this node's earlier work at once.
    ///
    /// # Errors
    /// When a setting makes no sense, the thread can't be started, or the store can't be read or written.
    pub async fn start(options: Options, ports: Ports) -> Result<Self, StartError> {
        check(&options)?;
        identify(&ports).await?;
        let home = Home::Own(ActorThread::start().await?);
        Self::start_at(home, options, ports).await
    }

    /// The same, but the actors live on `arbiter`, whose actix system must outlast this one. Where the caller's runtime and
    /// that arbiter share one thread, everything runs there, in an order that chance has no part in.
    ///
    /// # Errors
    /// When a setting makes no sense, or the store can't be read or written.
    pub async fn start_on(
        arbiter: ArbiterHandle,
        options: Options,
        ports: Ports,
    ) -> Result<Self, StartError> {
        check(&options)?;
        identify(&ports).await?;
        Self::start_at(Home::Given(arbiter), options, ports).await
    }

    async fn start_at(home: Home, options: Options, ports: Ports) -> Result<Self, StartError> {
        let views = Recent::new(options.max_live);
        let shared = Arc::new(Shared::new(options, ports, home.arbiter()));
        // Learns what operators switched before the first claim.
        if let Err(error) = shared.platform.refresh(&shared).await {
            home.leave().await;
            return Err(error.into());
        }
        let dispatcher = {
            let shared = Arc::clone(&shared);
            Dispatcher::start_in_arbiter(home.arbiter(), move |_| Dispatcher::new(shared))
        };
        shared.dispatcher.get_or_init(|| async { dispatcher }).await;
        rounds::check_clock(&shared).await;
        rounds::start(&shared);
        let inner = Inner {
            shared,
            home,
            views,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
}

/// Sees to it that the log has an id.
async fn identify(ports: &Ports) -> Result<(), Error> {
    let (store, ids, clock) = (&ports.store, &ports.ids, &ports.clock);
    log_id(store.as_ref(), ids.as_ref(), clock.as_ref()).await?;
    Ok(())
}

fn check(options: &Options) -> Result<(), StartError> {
    let complaint = if options.max_running == 0 {
        "a node has at least one worker"
    } else if options.max_commands == 0 {
        "a node takes at least one command at a time"
    } else if options.lease < Duration::from_secs(1) {
        "a lease is at least a second long"
    } else if options.round.is_zero() || options.fold_records.is_zero() {
        "rounds need time between them"
    } else if options.sweep_after.is_zero() || options.passivate_after.is_zero() {
        "sweeps and passivation need time between them"
    } else {
        return Ok(());
    };
    Err(StartError::Options(complaint))
}

/// Stops in good order.
pub(super) async fn shutdown(inner: &Inner, grace: Duration) {
    let shared = &inner.shared;
    shared.gate.stop();
    shared.stop_rounds.cancel();
    shared.rounds.close();
    shared.commands.close();
    shared.attempts.close();
    tokio::select! {
        biased;
        () = shared.attempts.wait() => {}
        () = shared.ports.clock.sleep(grace) => {
            tracing::info!("the grace is over; running exports are handed back");
        }
    }
    shared.hand_back.cancel();
    let ended = tokio::time::timeout(LAST_WORDS, async {
        shared.attempts.wait().await;
        shared.commands.wait().await;
        shared.rounds.wait().await;
    });
    if ended.await.is_err() {
        tracing::warn!("some work did not end in time; another process takes it up");
        shared.abandon.cancel();
    }
    // Each record has its deadline, but there may be many.
    let flushed = tokio::time::timeout(LAST_WORDS, shared.access.flush(shared));
    if flushed.await.is_err() {
        tracing::warn!("not all counted access records could be written in time; the rest is lost");
    }
    shared.watchers.close();
    if let Some(dispatcher) = shared.dispatcher.get() {
        dispatcher.do_send(Stop);
    }
    shared.export_actors.clear();
    shared.tenant_actors.clear();
    inner.home.leave().await;
}
