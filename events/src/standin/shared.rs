//! What the nodes share: the log, who leads, and what is to go wrong.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::Options;
use super::log::Log;

/// How one append goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendFault {
    /// The connection breaks before it is made.
    LoseRequest,
    /// It is made, and the connection breaks before that is said.
    LoseAcknowledgement,
    /// It is made after so long.
    Delay(Duration),
    /// It is made, and that is said after so long.
    DelayAcknowledgement(Duration),
    /// It is made, and never answered.
    Silence,
    /// It is made, and a time-out is answered.
    TimeOut,
    /// It is not made: the node is not ready.
    NotReady,
    /// It is not made, and never answered: what a server does that has written the same before, but not replicated it.
    Ignore,
    /// The node dies before it is made.
    DieBefore,
    /// The node dies after it is made, before that is said.
    DieAfter,
}

/// Who is alive, and who leads.
struct Members {
    alive: Vec<bool>,
    leader: Option<usize>,
    /// Who stepped down last, and leads again only if nobody else can.
    resigned: Option<usize>,
    /// Counts elections, so that only the last one takes place.
    elections: u64,
}

pub(super) struct Shared {
    pub(super) options: Options,
    log: Mutex<Log>,
    /// Told after every write.
    pub(super) written: watch::Sender<()>,
    members: Arc<Mutex<Members>>,
    pub(super) ports: Mutex<Vec<u16>>,
    faults: Mutex<VecDeque<AppendFault>>,
    /// Told when subscriptions are to end.
    pub(super) endings: watch::Sender<()>,
    pub(super) begun_subscriptions: AtomicUsize,
    pub(super) taken_connections: AtomicUsize,
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(options: Options) -> Self {
        let members = Members {
            alive: vec![true; options.nodes],
            leader: Some(0),
            resigned: None,
            elections: 0,
        };
        Self {
            log: Mutex::new(Log::new()),
            written: watch::Sender::new(()),
            members: Arc::new(Mutex::new(members)),
            ports: Mutex::new(vec![0; options.nodes]),
            faults: Mutex::default(),
            endings: watch::Sender::new(()),
            begun_subscriptions: AtomicUsize::new(0),
            taken_connections: AtomicUsize::new(0),
            options,
        }
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        held(&self.log)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, VecDeque<AppendFault>> {
        held(&self.faults)
    }

    pub(super) fn leader(&self) -> Option<usize> {
        held(&self.members).leader
    }

    pub(super) fn alive(&self) -> Vec<bool> {
        held(&self.members).alive.clone()
    }

    pub(super) fn port(&self, node: usize) -> u16 {
        held(&self.ports)[node]
    }

    pub(super) fn elect(&self, node: usize) {
        held(&self.members).leader = Some(node);
    }

    pub(super) fn died(&self, node: usize) {
        let mut members = held(&self.members);
        members.alive[node] = false;
        if members.leader == Some(node) {
            members.leader = None;
            self.begin_election(&mut members);
        }
        // A leader without a majority steps down.
        if !members.has_majority() {
            members.leader = None;
        }
    }

    /// A leader that steps down lets another lead.
    pub(super) fn resign(&self, node: usize) {
        let mut members = held(&self.members);
        if members.leader == Some(node) {
            members.leader = None;
            members.resigned = Some(node);
            self.begin_election(&mut members);
        }
    }

    pub(super) fn lives(&self, node: usize) {
        let mut members = held(&self.members);
        members.alive[node] = true;
        if members.leader.is_none() {
            self.begin_election(&mut members);
        }
    }

    fn begin_election(&self, members: &mut Members) {
        members.elections += 1;
        let (election, lasts) = (members.elections, self.options.election);
        let shared = Arc::clone(&self.members);
        tokio::spawn(async move {
            tokio::time::sleep(lasts).await;
            let mut members = held(&shared);
            if members.elections == election && members.leader.is_none() && members.has_majority() {
                members.leader = members.next_leader();
            }
        });
    }

    pub(super) fn end_subscriptions(&self) {
        self.endings.send_replace(());
    }

    pub(super) fn subscriptions(&self) -> usize {
        self.begun_subscriptions.load(Ordering::SeqCst)
    }

    pub(super) fn connections(&self) -> usize {
        self.taken_connections.load(Ordering::SeqCst)
    }
}

impl Members {
    fn has_majority(&self) -> bool {
        let alive = self.alive.iter().filter(|alive| **alive).count();
        alive * 2 > self.alive.len()
    }

    fn next_leader(&self) -> Option<usize> {
        let alive = || (0..self.alive.len()).filter(|node| self.alive[*node]);
        alive()
            .find(|node| self.resigned != Some(*node))
            .or_else(|| alive().next())
    }
}
