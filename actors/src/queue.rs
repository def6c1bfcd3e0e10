//! Who is next: fair between tenants.
//!
//! Tenants take turns, each with its oldest export; how many exports a tenant has queued gains it nothing. Exports that
//! may not start yet wait apart. Pure, and a hint like everything the dispatcher has in memory: what it doesn't hold is
//! in the worklist.

use std::collections::{BTreeMap, HashMap, VecDeque};

use carnet_events::domain::export::LostGround;
use carnet_events::ids::{ExportId, TenantId, Timestamp};

/// Why an export that somebody runs may be taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Takeover {
    /// The attempt that is lost.
    pub(crate) lost: u32,
    /// Why it counts as lost.
    pub(crate) ground: LostGround,
    /// The head of the stream that was seen to stand still.
    pub(crate) silent_at: Option<u64>,
}

/// An export to be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) tenant: TenantId,
    pub(crate) export: ExportId,
    pub(crate) takeover: Option<Takeover>,
}

/// What an export in the queue waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Its turn, after so many others.
    After(u64),
    /// A moment.
    Until(Timestamp),
}

/// The exports that this node knows as waiting.
pub(crate) struct Queue {
    capacity: usize,
    /// When each may start; `None`: it is in line.
    known: HashMap<ExportId, (TenantId, Option<Timestamp>)>,
    /// By tenant, oldest first.
    lines: HashMap<TenantId, VecDeque<Waiting>>,
    /// The tenants with a line, in the order of their turns.
    turns: VecDeque<TenantId>,
    later: BTreeMap<(Timestamp, ExportId), Waiting>,
}

impl Queue {
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            known: HashMap::new(),
            lines: HashMap::new(),
            turns: VecDeque::new(),
            later: BTreeMap::new(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Queues an export, unless it is queued already or there is no room; then the worklist remembers it.
    pub(crate) fn offer(&mut self, waiting: Waiting, not_before: Option<Timestamp>) {
        if self.known.contains_key(&waiting.export) || self.known.len() >= self.capacity {
            return;
        }
        let known = (waiting.tenant.clone(), not_before);
        self.known.insert(waiting.export, known);
        match not_before {
            Some(at) => {
                self.later.insert((at, waiting.export), waiting);
            }
            None => self.line_up(waiting),
        }
    }

    /// The next export that may start at `now`.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<Waiting> {
        self.wake(now);
        let tenant = self.turns.pop_front()?;
        let line = self.lines.get_mut(&tenant)?;
        let waiting = line.pop_front();
        if line.is_empty() {
            self.lines.remove(&tenant);
        } else {
            self.turns.push_back(tenant);
        }
        if let Some(waiting) = &waiting {
            self.known.remove(&waiting.export);
        }
        waiting
    }

    /// When the next export that may not start at `now` may. Those that may by now are in line, whether or not there is a
    /// worker for them.
    pub(crate) fn next_due(&mut self, now: Timestamp) -> Option<Timestamp> {
        self.wake(now);
        self.later.keys().next().map(|(at, _)| *at)
    }

    /// Takes an export out of the queue.
    pub(crate) fn remove(&mut self, export: ExportId) {
        match self.known.remove(&export) {
            Some((_, Some(at))) => {
                self.later.remove(&(at, export));
            }
            Some((tenant, None)) => {
                if let Some(line) = self.lines.get_mut(&tenant) {
                    line.retain(|waiting| waiting.export != export);
                    if line.is_empty() {
                        self.lines.remove(&tenant);
                        self.turns.retain(|turn| *turn != tenant);
                    }
                }
            }
            None => {}
        }
    }

    /// What an export waits for, if it is in the queue.
    pub(crate) fn place(&self, export: ExportId, now: Timestamp) -> Option<Place> {
        let (tenant, not_before) = self.known.get(&export)?;
        if let Some(at) = not_before {
            return Some(Place::Until((*at).max(now)));
        }
        let line = self.lines.get(tenant)?;
        let index = line.iter().position(|waiting| waiting.export == export)?;
        let mut ahead = index;
        let mut before = true;
        for turn in &self.turns {
            if turn == tenant {
                before = false;
                continue;
            }
            let turns = index + usize::from(before);
            ahead += self.lines.get(turn).map_or(0, VecDeque::len).min(turns);
        }
        Some(Place::After(ahead as u64))
    }

    /// Lines up those whose time has come.
    fn wake(&mut self, now: Timestamp) {
        while let Some(entry) = self.later.first_entry() {
            if entry.key().0 > now {
                return;
            }
            let waiting = entry.remove();
            let known = (waiting.tenant.clone(), None);
            self.known.insert(waiting.export, known);
            self.line_up(waiting);
        }
    }

    fn line_up(&mut self, waiting: Waiting) {
        let line = self.lines.entry(waiting.tenant.clone()).or_default();
        if line.is_empty() {
            self.turns.push_back(waiting.tenant.clone());
        }
        line.push_back(waiting);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn waiting(tenant: &str, number: u128) -> Waiting {
        Waiting {
            tenant: TenantId::new(tenant).unwrap(),
            export: ExportId::from_uuid(Uuid::from_u128(number)),
            takeover: None,
        }
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn drain(queue: &mut Queue, now: Timestamp) -> Vec<u128> {
        std::iter::from_fn(|| queue.take(now))
            .map(|waiting| waiting.export.as_uuid().as_u128())
            .collect()
    }

    #[test]
    fn tenants_take_turns_however_much_each_has_queued() {
        let mut queue = Queue::new(100);
        for number in 0..5 {
            queue.offer(waiting("greedy", number), None);
        }
        queue.offer(waiting("modest", 10), None);
        queue.offer(waiting("other", 20), None);
        queue.offer(waiting("other", 21), None);
        assert_eq!(drain(&mut queue, at(0)), [0, 10, 20, 1, 21, 2, 3, 4]);
        assert!(queue.is_empty());
    }

    #[test]
    fn the_place_is_the_number_that_are_taken_before() {
        let mut queue = Queue::new(100);
        let all = [
            ("a", 0),
            ("a", 1),
            ("b", 10),
            ("a", 2),
            ("c", 20),
            ("b", 11),
            ("c", 21),
        ];
        for (tenant, number) in all {
            queue.offer(waiting(tenant, number), None);
        }
        for taken in 0..3 {
            let places: Vec<_> = all
                .iter()
                .filter_map(|(_, number)| {
                    let export = waiting("x", *number).export;
                    queue.place(export, at(0)).map(|place| (place, *number))
                })
                .collect();
            let mut copy = Queue::new(100);
            std::mem::swap(&mut copy, &mut queue);
            let order = drain(&mut copy, at(0));
            for (place, number) in places {
                let index = order.iter().position(|taken| *taken == number).unwrap();
                assert_eq!(place, Place::After(index as u64), "{number} after {taken}");
            }
            for number in &order[1..] {
                let tenant = all.iter().find(|(_, other)| other == number).unwrap().0;
                queue.offer(waiting(tenant, *number), None);
            }
        }
    }

    #[test]
    fn what_may_not_start_yet_waits_apart() {
        let mut queue = Queue::new(100);
        queue.offer(waiting("a", 1), Some(at(50)));
        queue.offer(waiting("a", 2), None);
        assert_eq!(
            queue.place(waiting("a", 1).export, at(0)),
            Some(Place::Until(at(50)))
        );
        assert_eq!(drain(&mut queue, at(49)), [2]);
        assert_eq!(queue.next_due(at(49)), Some(at(50)));
        assert_eq!(drain(&mut queue, at(50)), [1]);
        assert_eq!(queue.next_due(at(50)), None);
    }

    #[test]
    fn what_is_due_is_not_waited_for_again_though_no_worker_takes_it() {
        let mut queue = Queue::new(100);
        queue.offer(waiting("a", 1), Some(at(50)));
        queue.offer(waiting("a", 2), Some(at(70)));
        assert_eq!(queue.next_due(at(60)), Some(at(70)));
        assert_eq!(
            queue.place(waiting("a", 1).export, at(60)),
            Some(Place::After(0))
        );
        assert_eq!(queue.next_due(at(70)), None);
        assert_eq!(drain(&mut queue, at(70)), [1, 2]);
    }

    #[test]
    fn removed_repeated_and_surplus_ones_are_not_taken() {
        let mut queue = Queue::new(3);
        queue.offer(waiting("a", 1), None);
        queue.offer(waiting("a", 1), Some(at(5)));
        queue.offer(waiting("b", 2), Some(at(5)));
        queue.offer(waiting("c", 3), None);
        queue.offer(waiting("d", 4), None);
        queue.remove(waiting("a", 1).export);
        queue.remove(waiting("b", 2).export);
        queue.remove(waiting("z", 9).export);
        assert_eq!(drain(&mut queue, at(9)), [3]);
        assert!(queue.is_empty() && queue.next_due(at(9)).is_none());
    }
}
