//! The dispatcher: hands waiting exports to this node's workers, as many at once as the node has.
//!
//! It hears of work in two ways: at once from whoever queued it on this node, and from the worklist by rounds. Both are
//! hints; the claim (`started`, appended where the stream stood) decides who runs an export.
//!
//! Queue: its mailbox holds offers of rounds (a page at most), of admissions (bounded by the system's semaphore) and of
//! ended attempts (bounded by the workers). The exports it remembers are bounded by [`REMEMBERED`].

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use actix::{
    Actor, ActorContext, ActorFutureExt, Addr, AsyncContext, Context, Handler, Message,
    MessageResult, SpawnHandle, WrapFuture,
};
use carnet_events::ids::{ExportId, TenantId, Timestamp};

use crate::api::{QueuePosition, WaitReason};
use crate::attempt;
use crate::queue::{Place, Queue, Takeover, Waiting};
use crate::shared::Shared;

/// Exports remembered as waiting; the worklist has the others.
const REMEMBERED: usize = 10_000;

/// Hands out work on this node.
pub(crate) struct Dispatcher {
    shared: Arc<Shared>,
    queue: Queue,
    running: HashSet<ExportId>,
    /// Offers that came for exports while they ran here: looked at again once they end.
    again: HashSet<ExportId>,
    alarm: Option<SpawnHandle>,
}

/// An export may be run.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Offer {
    waiting: Waiting,
    not_before: Option<Timestamp>,
}

impl Offer {
    /// One that waits in the queue.
    pub(crate) fn fresh(tenant: TenantId, export: ExportId, not_before: Option<Timestamp>) -> Self {
        let waiting = Waiting {
            tenant,
            export,
            takeover: None,
        };
        Self {
            waiting,
            not_before,
        }
    }

    /// One whose runner is gone.
    pub(crate) fn orphan(tenant: TenantId, export: ExportId, takeover: Option<Takeover>) -> Self {
        let waiting = Waiting {
            tenant,
            export,
            takeover,
        };
        Self {
            waiting,
            not_before: None,
        }
    }
}

/// A worker is free again.
#[derive(Message)]
#[rtype(result = "()")]
struct Ended {
    tenant: TenantId,
    export: ExportId,
    after: attempt::After,
}

/// An export is settled: it need not wait any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Forget(pub(crate) ExportId);

/// Something changed that decides whether work may begin.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Fill;

/// What does an export wait for?
#[derive(Message)]
#[rtype(result = "Option<QueuePosition>")]
pub(crate) struct WhereIs(pub(crate) ExportId);

/// End.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop;

impl Dispatcher {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            queue: Queue::new(REMEMBERED),
            running: HashSet::new(),
            again: HashSet::new(),
            alarm: None,
        }
    }

    /// What keeps this node from beginning anything.
    fn obstacle(&self) -> Option<WaitReason> {
        if self.shared.gate.skew().is_some() {
            return Some(WaitReason::ClockSkewed);
        }
        let Shared {
            gate,
            platform,
            options,
            ..
        } = &*self.shared;
        let drained =
            gate.is_stopping() || gate.is_superseded() || platform.is_draining(options.node);
        drained.then_some(WaitReason::Draining)
    }

    fn fill(&mut self, ctx: &mut Context<Self>) {
        if self.obstacle().is_some() {
            return;
        }
        while self.running.len() < self.shared.options.max_running {
            let Some(waiting) = self.queue.take(self.shared.ports.clock.now()) else {
                break;
            };
            self.begin(waiting, ctx.address());
        }
        self.set_alarm(ctx);
    }

    fn begin(&mut self, waiting: Waiting, dispatcher: Addr<Self>) {
        self.running.insert(waiting.export);
        let report = Report {
            dispatcher,
            tenant: waiting.tenant.clone(),
            export: waiting.export,
            after: attempt::After::Unclear,
        };
        let shared = Arc::clone(&self.shared);
        let work = async move {
            // Moved in whole: it reports when it is dropped.
            let mut report = report;
            report.after = attempt::work(&shared, waiting).await;
        };
        self.shared.attempts.spawn_on(work, &self.shared.runtime);
    }

    /// Wakes up when the next export that has to wait may start.
    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        if let Some(alarm) = self.alarm.take() {
            ctx.cancel_future(alarm);
        }
        let Some(due) = self.queue.next_due(self.shared.ports.clock.now()) else {
            return;
        };
        let clock = Arc::clone(&self.shared.ports.clock);
        let wait = async move { clock.sleep(due.since(clock.now())).await };
        let wake = wait.into_actor(self).map(|(), dispatcher: &mut Self, ctx| {
            dispatcher.alarm = None;
            dispatcher.fill(ctx);
        });
        self.alarm = Some(ctx.spawn(wake));
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;
}

impl Handler<Offer> for Dispatcher {
    type Result = ();

    fn handle(&mut self, offer: Offer, ctx: &mut Context<Self>) {
        if self.running.contains(&offer.waiting.export) {
            self.again.insert(offer.waiting.export);
            return;
        }
        self.queue.offer(offer.waiting, offer.not_before);
        self.fill(ctx);
    }
}

impl Handler<Ended> for Dispatcher {
    type Result = ();

    fn handle(&mut self, ended: Ended, ctx: &mut Context<Self>) {
        self.running.remove(&ended.export);
        let offered_meanwhile = self.again.remove(&ended.export);
        let not_before = match ended.after {
            attempt::After::Queued { not_before } => Some(not_before),
            attempt::After::Settled => None,
            // Nobody knows how it stands; whoever offered it meanwhile may know more than the attempt did.
            attempt::After::Unclear => offered_meanwhile.then_some(None),
        };
        if let Some(not_before) = not_before {
            let offer = Offer::fresh(ended.tenant, ended.export, not_before);
            self.queue.offer(offer.waiting, offer.not_before);
        }
        self.fill(ctx);
        if self.queue.is_empty() && self.shared.backlog.swap(false, Ordering::Relaxed) {
            self.shared.rescan.notify_one();
        }
    }
}

impl Handler<Forget> for Dispatcher {
    type Result = ();

    fn handle(&mut self, forget: Forget, _: &mut Context<Self>) {
        self.queue.remove(forget.0);
    }
}

impl Handler<Fill> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Fill, ctx: &mut Context<Self>) {
        self.fill(ctx);
    }
}

impl Handler<WhereIs> for Dispatcher {
    type Result = MessageResult<WhereIs>;

    fn handle(&mut self, asked: WhereIs, _: &mut Context<Self>) -> Self::Result {
        let place = self.queue.place(asked.0, self.shared.ports.clock.now());
        MessageResult(place.map(|place| {
            let (ahead, reason) = match place {
                Place::After(ahead) => (ahead, WaitReason::FreeWorker),
                Place::Until(at) => (0, WaitReason::Until(at)),
            };
            QueuePosition {
                ahead,
                reason: self.obstacle().unwrap_or(reason),
            }
        }))
    }
}

impl Handler<Stop> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) {
        ctx.stop();
    }
}

/// Reports the end of an attempt, even of one that panicked.
struct Report {
    dispatcher: Addr<Dispatcher>,
    tenant: TenantId,
    export: ExportId,
    after: attempt::After,
}

impl Drop for Report {
    fn drop(&mut self) {
        self.dispatcher.do_send(Ended {
            tenant: self.tenant.clone(),
            export: self.export,
            after: self.after,
        });
    }
}
