//! Whether a process runs. All that a process does to the world goes through its ports, and each of them stands behind this
//! gate: so a crash or a pause can strike between any two of its steps.

use std::future::pending;
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    On,
    /// Frozen, as by `SIGSTOP`: whatever was under way goes on where it was, later.
    Paused,
    /// Gone, as by `kill -9`.
    Off,
}

/// Clones are of one process.
#[derive(Clone)]
pub struct Power {
    state: Arc<Mutex<State>>,
    changed: Arc<Notify>,
}

impl Power {
    pub fn on() -> Self {
        Self {
            state: Arc::new(Mutex::new(State::On)),
            changed: Arc::default(),
        }
    }

    pub fn off(&self) {
        *self.state.lock().unwrap() = State::Off;
    }

    pub fn pause(&self) {
        self.set(State::On, State::Paused);
    }

    pub fn resume(&self) {
        self.set(State::Paused, State::On);
        self.changed.notify_waiters();
    }

    pub fn is_off(&self) -> bool {
        *self.state.lock().unwrap() == State::Off
    }

    /// Returns once the process runs; never, when it is gone.
    pub async fn gate(&self) {
        loop {
            let changed = self.changed.notified();
            let state = *self.state.lock().unwrap();
            match state {
                State::On => return,
                State::Paused => {}
                State::Off => return pending().await,
            }
            changed.await;
        }
    }

    fn set(&self, from: State, to: State) {
        let mut state = self.state.lock().unwrap();
        if *state == from {
            *state = to;
        }
    }
}
