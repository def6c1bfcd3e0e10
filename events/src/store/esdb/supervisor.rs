//! Keeps one link to the leader, and makes a new one whenever that is lost.
//!
//! The client crate never leaves a node it has chosen, and dies when its discovery fails. So discovery is done here, the
//! crate is only ever given one node, and after any trouble with it client and connections are thrown away together.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout};

use super::link::{Dialer, Link};
use super::trouble::Trouble;
use super::url::{Endpoint, Settings};
use super::wire::{ClusterInfo, LEADER};
use crate::store::StoreError;

/// How long a call is tried again before it fails: longer than a cluster takes to elect a leader.
pub(super) const BUDGET: Duration = Duration::from_secs(20);
/// Between tries; doubled up to the second.
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// More nodes than this are not asked: a cluster has up to seven, and some read-only replicas.
const MAX_NODES: usize = 32;

/// Keeps the link.
pub(super) struct Supervisor {
    settings: Settings,
    dialer: Dialer,
    current: tokio::sync::Mutex<Option<Arc<Link>>>,
    /// Who leads, as a node that doesn't lead has told.
    told: Mutex<Option<Endpoint>>,
    /// All nodes as last heard of, for when the seeds are gone.
    members: Mutex<Vec<Endpoint>>,
}

impl Supervisor {
    pub(super) fn new(settings: Settings) -> Result<Self, StoreError> {
        let dialer = Dialer::new(&settings, super::tls::config(&settings)?)?;
        Ok(Self {
            settings,
            dialer,
            current: tokio::sync::Mutex::new(None),
            told: Mutex::new(None),
            members: Mutex::new(Vec::new()),
        })
    }

    /// The link to the leader, made if there is none.
    pub(super) async fn link(&self) -> Result<Arc<Link>, Trouble> {
        let mut current = self.current.lock().await;
        if let Some(link) = &*current {
            return Ok(Arc::clone(link));
        }
        let leader = self.leader().await?;
        let link = Arc::new(self.dialer.link(&leader)?);
        tracing::info!(node = %leader, "linked to the event store's leader");
        *current = Some(Arc::clone(&link));
        Ok(link)
    }

    /// Learns from what went wrong on `link`: whatever it was, if it concerns the link, the next call gets another.
    pub(super) async fn learn(&self, link: &Arc<Link>, trouble: &Trouble) {
        match trouble {
            Trouble::NotLeader(leader) => self.tell(leader.clone()),
            Trouble::NotDone(_) | Trouble::Lost(_) => {}
            Trouble::Deleted
            | Trouble::WrongRevision
            | Trouble::Denied
            | Trouble::Invalid(_)
            | Trouble::Sealed(_) => return,
        }
        let mut current = self.current.lock().await;
        if current.as_ref().is_some_and(|now| Arc::ptr_eq(now, link)) {
            tracing::warn!(node = %link.node, %trouble, "the link to the event store is made anew");
            *current = None;
        }
    }

    /// Makes a call that changes nothing, again and again until it is answered or the budget is spent; each try may
    /// take `patience`.
    pub(super) async fn retry<T, F>(
        &self,
        patience: Duration,
        call: impl Fn(Arc<Link>) -> F,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let mut tries = Tries::new();
        loop {
            let trouble = match self.attempt(patience, &call).await {
                Ok(answer) => return Ok(answer),
                Err(trouble) => trouble,
            };
            let hopeless = matches!(
                trouble,
                Trouble::Deleted | Trouble::Denied | Trouble::Invalid(_) | Trouble::Sealed(_)
            );
            if hopeless || !tries.pause().await {
                return Err(trouble.into_error());
            }
        }
    }

    /// One try.
    pub(super) async fn attempt<T, F>(
        &self,
        patience: Duration,
        call: impl FnOnce(Arc<Link>) -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, Trouble>>,
    {
        let link = match timeout(patience, self.link()).await {
            Ok(link) => link?,
            Err(_) => return Err(Trouble::NotDone("no node answered in time".to_owned())),
        };
        let trouble = match timeout(patience, call(Arc::clone(&link))).await {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(trouble)) => trouble,
            Err(_) => Trouble::Lost(format!("no answer within {patience:?}")),
        };
        self.learn(&link, &trouble).await;
        Err(trouble)
    }

    async fn leader(&self) -> Result<Endpoint, Trouble> {
        if let Some(told) = self
            .told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
        {
            return Ok(told);
        }
        if !self.settings.discover {
            let only = self.settings.seeds.first().cloned();
            return only.ok_or_else(|| Trouble::NotDone("there is no node to ask".to_owned()));
        }
        let mut asked: FuturesUnordered<_> = self
            .candidates()
            .into_iter()
            .map(|node| self.ask(node))
            .collect();
        let mut reason = "none of them was reached".to_owned();
        while let Some(answer) = asked.next().await {
            match answer {
                Ok(cluster) => match self.take(&cluster) {
                    Some(leader) => return Ok(leader),
                    None => reason = "no node leads the cluster now".to_owned(),
                },
                // Another node would say the same.
                Err(Trouble::Denied) => return Err(Trouble::Denied),
                Err(trouble) => reason = trouble.to_string(),
            }
        }
        sleep(self.settings.discovery_interval).await;
        Err(Trouble::NotDone(format!("no leader was found: {reason}")))
    }

    async fn ask(&self, node: Endpoint) -> Result<ClusterInfo, Trouble> {
        let caller = self.dialer.caller(&node)?;
        match timeout(self.settings.gossip_timeout, caller.gossip()).await {
            Ok(answer) => answer,
            Err(_) => Err(Trouble::NotDone(format!("{node} did not answer in time"))),
        }
    }

    fn candidates(&self) -> Vec<Endpoint> {
        let mut candidates = self.settings.seeds.clone();
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        candidates.extend(members.iter().cloned());
        let mut seen = std::collections::HashSet::new();
        candidates.retain(|node| seen.insert(node.clone()));
        candidates.truncate(MAX_NODES);
        candidates
    }

    /// Remembers the members, and gives the leader among them.
    fn take(&self, cluster: &ClusterInfo) -> Option<Endpoint> {
        let mut leader = None;
        let mut members = Vec::new();
        for member in &cluster.members {
            let Some(node) = member.http_end_point.as_ref() else {
                continue;
            };
            let Ok(port) = u16::try_from(node.port) else {
                continue;
            };
            let node = Endpoint {
                host: node.address.clone(),
                port,
            };
            if member.is_alive && member.state == LEADER {
                leader = Some(node.clone());
            }
            members.push(node);
        }
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = members;
        leader
    }

    fn tell(&self, leader: Option<Endpoint>) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = leader;
    }
}

/// Counts the tries of one call: pauses between them, until the budget is spent.
pub(super) struct Tries {
    end: Instant,
    pause: Duration,
}

impl Tries {
    pub(super) fn new() -> Self {
        Self {
            end: Instant::now() + BUDGET,
            pause: FIRST_PAUSE,
        }
    }

    /// Whether there is time for another; if so, it is waited for.
    pub(super) async fn pause(&mut self) -> bool {
        if Instant::now() + self.pause >= self.end {
            return false;
        }
        sleep(self.pause).await;
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        true
    }
}
