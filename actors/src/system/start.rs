//! Beginning and end.

use std::sync::Arc;
use std::time::Duration;

use actix::Actor;

use super::{Inner, Ports, System};
use crate::dispatcher::{Dispatcher, Stop};
use crate::error::StartError;
use crate::log::log_id;
use crate::options::Options;
use crate::recent::Recent;
use crate::rounds;
use crate::shared::Shared;
use crate::thread::ActorThread;

/// How long handing back, and then a last report, may take once the grace is over.
const LAST_WORDS: Duration = Duration::from_secs(15);

impl System {
    /// Starts the actors: makes the log's id if the log is new, takes up this node's earlier work at once.
    ///
    /// # Errors
    /// When a setting makes no sense, the thread can't be started, or the store can't be read or written.
    pub async fn start(options: Options, ports: Ports) -> Result<Self, StartError> {
        check(&options)?;
        let log = log_id(
            ports.store.as_ref(),
            ports.ids.as_ref(),
            ports.clock.as_ref(),
        )
        .await?;
        let thread = ActorThread::start().await?;
        let views = Recent::new(options.max_live);
        let shared = Arc::new(Shared::new(options, ports, thread.arbiter()));
        // Learns what operators switched before the first claim.
        if let Err(error) = shared.platform.refresh(&shared).await {
            thread.stop().await;
            return Err(error.into());
        }
        let dispatcher = {
            let shared = Arc::clone(&shared);
            Dispatcher::start_in_arbiter(thread.arbiter(), move |_| Dispatcher::new(shared))
        };
        shared.dispatcher.get_or_init(|| async { dispatcher }).await;
        rounds::check_clock(&shared).await;
        rounds::start(&shared);
        let inner = Inner {
            shared,
            thread,
            log,
            views,
        };
        Ok(Self {
            inner: Arc::new(inner),
        })
    }
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
    shared.access.flush(shared).await;
    shared.watchers.close();
    if let Some(dispatcher) = shared.dispatcher.get() {
        dispatcher.do_send(Stop);
    }
    inner.thread.stop().await;
}
