//! The bucket all nodes share, and the way there.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use carnet_actors::ports::ObjectFailure;
use carnet_events::ids::{Digest, Timestamp};
use tokio::time::sleep;

use crate::chance::Chance;
use crate::checker::Checker;
use crate::line::Weather;
use crate::mutation::Mutation;
use crate::time::Time;
use crate::trace::Trace;

#[derive(Clone, Copy)]
pub struct Object {
    pub sha256: Digest,
    pub stored_at: Timestamp,
}

/// The objects by their keys.
pub type Objects = Arc<Mutex<BTreeMap<String, Object>>>;

pub struct Bucket {
    pub objects: Objects,
    pub checker: Arc<Mutex<Checker>>,
    pub weather: Arc<Weather>,
    pub time: Time,
    pub chance: Chance,
    pub trace: Trace,
    pub mutation: Mutation,
    pub down: AtomicBool,
}

fn failure() -> ObjectFailure {
    ObjectFailure {
        reason: "simulated".to_owned(),
    }
}

impl Bucket {
    /// Stores an object. After a failure it may be there, or come later.
    pub async fn put(self: &Arc<Self>, key: &str, sha256: Digest) -> Result<(), ObjectFailure> {
        self.way().await?;
        match self.chance.below(100) {
            0..4 if self.is_bad() => Err(failure()),
            4..8 if self.is_bad() => {
                self.store(key, sha256);
                Err(failure())
            }
            8..12 if self.is_bad() => {
                let (bucket, key) = (Arc::clone(self), key.to_owned());
                tokio::spawn(async move {
                    sleep(bucket.chance.seconds(1, 60)).await;
                    bucket.store(&key, sha256);
                });
                Err(failure())
            }
            _ => {
                self.store(key, sha256);
                Ok(())
            }
        }
    }

    /// Deletes an object; that it isn't there is as good.
    pub async fn delete(&self, key: &str) -> Result<(), ObjectFailure> {
        self.way().await?;
        match self.chance.below(100) {
            0..5 if self.is_bad() => Err(failure()),
            5..10 if self.is_bad() => {
                self.remove(key);
                Err(failure())
            }
            _ => {
                self.remove(key);
                Ok(())
            }
        }
    }

    /// The keys of everything stored before `before`.
    pub async fn list(&self, before: Timestamp) -> Result<Vec<String>, ObjectFailure> {
        if self.down.load(Ordering::Relaxed) {
            return Err(failure());
        }
        let objects = self.objects.lock().unwrap();
        let old = objects.iter().filter(|(_, one)| one.stored_at < before);
        Ok(old.map(|(key, _)| key.clone()).collect())
    }

    fn is_bad(&self) -> bool {
        self.weather.bad.load(Ordering::Relaxed) > 0
    }

    async fn way(&self) -> Result<(), ObjectFailure> {
        if self.is_bad() {
            sleep(self.chance.millis(0, 300)).await;
        }
        match self.down.load(Ordering::Relaxed) {
            false => Ok(()),
            true if self.chance.percent(80) => Err(failure()),
            true => pending().await,
        }
    }

    fn store(&self, key: &str, sha256: Digest) {
        self.trace.line("bucket", &format!("{key} stored"));
        let object = Object {
            sha256,
            stored_at: self.time.now(),
        };
        let before = self.objects.lock().unwrap().insert(key.to_owned(), object);
        if before.is_some_and(|before| before.sha256 != sha256) {
            self.checker.lock().unwrap().overwritten(key);
        }
    }

    fn remove(&self, key: &str) {
        if self.mutation == Mutation::BucketKeepsDeleted {
            return;
        }
        let removed = self.objects.lock().unwrap().remove(key);
        if removed.is_some() {
            self.trace.line("bucket", &format!("{key} removed"));
            self.checker.lock().unwrap().removed(key);
        }
    }
}
