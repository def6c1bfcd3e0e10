//! When to begin a group: at once, or a moment later with more in it. Shared by the backends that commit in groups.
//!
//! Clients that append one event after another ask again as soon as they are answered. A group that begins the very
//! moment the first of them is back leaves the others to wait for a whole commit more. So the writer waits a little for
//! as many as it has just answered; never longer than a fraction of what a commit takes, so that the wait can't cost more
//! than it may save, and not at all for a client that is alone.

use std::time::{Duration, Instant};

use tokio::sync::mpsc::Receiver;

/// Commits faster than this are not worth waiting for.
const WORTH: Duration = Duration::from_micros(200);

/// The part of a commit's time that is spent waiting at most.
const FRACTION: u32 = 4;

/// The longest wait, however long a commit took: one that stood in line for a lock says nothing about the next.
const MOST: Duration = Duration::from_millis(5);

/// How long the thread sleeps between looks at the queue.
const NAP: Duration = Duration::from_micros(20);

#[derive(Debug, Default)]
pub(crate) struct Pace {
    /// How many requests the last group had.
    last: usize,
    /// How long its commit took.
    took: Duration,
}

impl Pace {
    /// Takes in more requests, until there are as many as last time, or it has waited long enough. Blocks.
    pub(crate) fn gather<T>(&self, requests: &mut Receiver<T>, group: &mut Vec<T>) {
        let Some(deadline) = self.deadline(group.len()) else {
            return;
        };
        while group.len() < self.last && Instant::now() < deadline {
            std::thread::sleep(NAP);
            self.take(requests, group);
        }
    }

    /// The same for a task, which lets others have their turn instead of sleeping: timers are too coarse for so short a wait.
    pub(crate) async fn gather_by_turns<T>(&self, requests: &mut Receiver<T>, group: &mut Vec<T>) {
        let Some(deadline) = self.deadline(group.len()) else {
            return;
        };
        while group.len() < self.last && Instant::now() < deadline {
            tokio::task::yield_now().await;
            self.take(requests, group);
        }
    }

    /// Until when it is worth waiting, with so many there already.
    fn deadline(&self, gathered: usize) -> Option<Instant> {
        let worth = self.took >= WORTH && gathered < self.last;
        worth.then(|| Instant::now() + (self.took / FRACTION).min(MOST))
    }

    fn take<T>(&self, requests: &mut Receiver<T>, group: &mut Vec<T>) {
        while group.len() < self.last
            && let Ok(request) = requests.try_recv()
        {
            group.push(request);
        }
    }

    /// Notes how large a group was and how long its commit took.
    pub(crate) fn note(&mut self, requests: usize, took: Duration) {
        *self = Self {
            last: requests,
            took,
        };
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_client_that_is_alone_waits_for_nobody() {
        let (_queue, mut requests) = channel::<u8>(8);
        let mut pace = Pace::default();
        pace.note(1, Duration::from_secs(3600));
        let mut group = vec![1];
        pace.gather(&mut requests, &mut group);
        assert_eq!(group, [1]);
    }

    #[test]
    fn those_just_answered_are_waited_for() {
        let (queue, mut requests) = channel(8);
        let mut pace = Pace::default();
        pace.note(3, Duration::from_secs(3600));
        (2..=8).for_each(|n| queue.try_send(n).unwrap());
        let mut group = vec![1];
        pace.gather(&mut requests, &mut group);
        assert_eq!(group, [1, 2, 3]);
    }

    #[test]
    fn a_commit_that_took_long_makes_nobody_wait_long() {
        let mut pace = Pace::default();
        pace.note(3, Duration::from_secs(3600));
        let deadline = pace.deadline(1).unwrap();
        assert!(deadline <= Instant::now() + MOST);
    }

    #[test]
    fn the_wait_is_bounded_by_the_time_of_a_commit() {
        let (_queue, mut requests) = channel::<u8>(8);
        let mut pace = Pace::default();
        pace.note(3, Duration::from_millis(8));
        let begun = Instant::now();
        pace.gather(&mut requests, &mut vec![1]);
        assert!(begun.elapsed() >= Duration::from_millis(2));
    }
}
