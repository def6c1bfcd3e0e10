//! Settings, each with the reason for its default.

use std::time::Duration;

use carnet_events::domain::export::BackOff;
use carnet_events::ids::{Incarnation, NodeId};

/// How the actors work on this node.
#[derive(Debug, Clone)]
pub struct Options {
    /// The node; its id belongs to the data directory.
    pub node: NodeId,
    /// This process; new at every start.
    pub incarnation: Incarnation,
    /// Exports run at once on this node.
    pub max_running: usize,
    /// How long a claim holds without a sign of life. It is renewed at a third of that.
    pub lease: Duration,
    /// No sign of life (new rows, bytes, category or phase, or word that a source works on) for this long fails an attempt as `stalled`.
    pub stall_after: Duration,
    /// Failed attempts and their repetition.
    pub retry: Retry,
    /// How lost attempts are begun anew.
    pub losses: BackOff,
    /// How long a finished artifact can be downloaded; `None`: without end.
    pub ttl: Option<Duration>,
    /// How long after the window's end the file is deleted, so that a running download survives.
    pub deletion_delay: Duration,
    /// How often the worklist is looked at for what the fast paths missed, and for what fell due.
    pub round: Duration,
    /// Entries of each of its lists that are looked at in one round.
    pub page: usize,
    /// How often the storage is swept, and how old an object must be for that.
    pub sweep_after: Duration,
    /// How often counted repetitions of access records are written.
    pub fold_records: Duration,
    /// Clock difference to the store beyond which this node stops deciding.
    pub max_clock_skew: Duration,
    /// Commands in work at once; more are refused as overloaded. actix mailboxes don't bound, so this does.
    pub max_commands: usize,
    /// Actors of each kind kept alive, and folded streams kept in memory, at most (twice that for a moment).
    pub max_live: usize,
    /// Actors idle for longer are let go.
    pub passivate_after: Duration,
    /// The longest that one store call is waited for.
    pub store_deadline: Duration,
    /// The longest that a command is tried, conflicts and unavailability included.
    pub command_deadline: Duration,
}

/// When a failed attempt is followed by another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Failed attempts after which the export fails.
    pub max_attempts: u32,
    /// The wait after the first; doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub longest: Duration,
}

impl Options {
    /// The defaults for this process.
    #[must_use]
    pub fn new(node: NodeId, incarnation: Incarnation) -> Self {
        Self {
            node,
            incarnation,
            max_running: 2,
            lease: Duration::from_secs(30),
            stall_after: Duration::from_secs(5 * 60),
            retry: Retry {
                max_attempts: 3,
                first: Duration::from_secs(5),
                longest: Duration::from_secs(5 * 60),
            },
            // A crash or two is bad luck; beyond that the export itself is under suspicion.
            losses: BackOff {
                free_losses: 2,
                first: Duration::from_secs(10),
                longest: Duration::from_secs(10 * 60),
            },
            ttl: Some(Duration::from_secs(7 * 24 * 60 * 60)),
            deletion_delay: Duration::from_secs(60 * 60),
            round: Duration::from_secs(10),
            page: 1024,
            sweep_after: Duration::from_secs(24 * 60 * 60),
            fold_records: Duration::from_secs(60),
            max_clock_skew: Duration::from_secs(5),
            max_commands: 1024,
            max_live: 4096,
            passivate_after: Duration::from_secs(5 * 60),
            store_deadline: Duration::from_secs(10),
            command_deadline: Duration::from_secs(30),
        }
    }
}
