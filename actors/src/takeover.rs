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
use crate::shared::Shared;

/// What was seen of the running exports of other nodes; bounded by the page it is held against.
#[derive(Default)]
pub(crate) struct Watch {
    seen: HashMap<ExportId, Seen>,
}

#[derive(Clone, Copy)]
struct Seen {
    head: Option<u64>,
    /// By the monotonic clock.
    since: Duration,
}

impl Watch {
    /// Looks at running exports, and offers those whose runner is gone.
    pub(crate) async fn look(&mut self, shared: &Arc<Shared>, running: &[Running]) {
        let named = |export: &ExportId| running.iter().any(|one| one.export == *export);
        self.seen.retain(|export, _| named(export));
        for one in running {
            match self.is_lost(shared, one).await {
                Ok(Some(takeover)) => {
                    shared.offer(Offer::orphan(one.tenant.clone(), one.export, takeover));
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(export = %one.export, %error, "a running export can't be looked at");
                }
            }
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
        let seen = self
            .seen
            .entry(one.export)
            .or_insert(Seen { head, since: now });
        if seen.head != head {
            *seen = Seen { head, since: now };
        }
        let silent = now.saturating_sub(seen.since) >= one.lease.mul_f64(1.5);
        Ok(silent.then_some(Some(Takeover {
            lost: one.attempt,
            ground: LostGround::LeaseLapsed,
            silent_at: head,
        })))
    }
}
