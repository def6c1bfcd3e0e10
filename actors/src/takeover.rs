//! Finding exports whose runner is gone.
//!
//! Those of this node's earlier processes are free at once: the data directory is locked for a process's life, so they
//! are dead. Those of other nodes only after two direct reads, 1.5 leases apart by this process's own monotonic clock,
//! saw the stream stand still. Wall clocks, ours or theirs, are not asked.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use carnet_events::domain::export::LostGround;
use carnet_events::ids::ExportId;
use carnet_events::stream::StreamName;

use crate::dispatcher::Offer;
use crate::error::Error;
use crate::ports::Running;
use crate::queue::Takeover;
use crate::rotation::Rotation;
use crate::shared::Shared;

/// What was seen of the running exports of other nodes; bounded by what they run.
#[derive(Default)]
pub(crate) struct Watch {
    list: Rotation,
    /// How often the list has been gone through.
    turn: u64,
    seen: HashMap<ExportId, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    head: Option<u64>,
    /// By the monotonic clock.
    since: Duration,
    /// When it was in the list last.
    turn: u64,
}

impl Watch {
    /// Looks at running exports, and offers those whose runner is gone.
    pub(crate) async fn look(&mut self, shared: &Arc<Shared>) {
        let worklist = &shared.ports.worklist;
        let page = worklist.running(self.list.after(), shared.options.page);
        let running = match page.await {
            Ok(page) => self.list.turn(page),
            Err(error) => {
                tracing::warn!(%error, "running exports can't be told");
                return;
            }
        };
        for one in running {
            match self.is_lost(shared, &one).await {
                Ok(Some(takeover)) => {
                    shared.offer(Offer::orphan(one.tenant.clone(), one.export, takeover));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(export = %one.export, %error, "a running export can't be looked at");
                }
            }
        }
        if self.list.after().is_none() {
            let turn = self.turn;
            self.seen.retain(|_, seen| seen.turn == turn);
            self.turn += 1;
        }
    }

    /// `Some` when the export is to be offered.
    async fn is_lost(
        &mut self,
        shared: &Arc<Shared>,
        one: &Running,
    ) -> Result<Option<Option<Takeover>>, Error> {
        if one.node == shared.options.node {
            let earlier = one.incarnation != shared.options.incarnation;
            let takeover = earlier.then_some(Takeover {
                lost: one.attempt,
                ground: LostGround::OwnEarlierIncarnation,
                silent_at: None,
            });
            // One of this very process that runs is known to the dispatcher; one that doesn't is given back.
            let runs = !earlier && shared.live.progress(one.export).is_some();
            return Ok((!runs).then_some(takeover));
        }
        let head = shared.calls.head(&StreamName::export(one.export)).await?;
        let now = shared.ports.clock.monotonic();
        let fresh = Seen {
            head,
            since: now,
            turn: self.turn,
        };
        let seen = self.seen.entry(one.export).or_insert(fresh);
        seen.turn = self.turn;
        if seen.head != head {
            *seen = fresh;
        }
        let silent = now.saturating_sub(seen.since) >= one.lease.mul_f64(1.5);
        Ok(silent.then_some(Some(Takeover {
            lost: one.attempt,
            ground: LostGround::LeaseLapsed,
            silent_at: head,
        })))
    }
}
