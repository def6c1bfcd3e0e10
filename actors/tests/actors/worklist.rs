//! A stand-in for the worklist projection: it folds the whole log at every question.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_events::store::{EventStore, Filter};
use futures::TryStreamExt;

use crate::folded::{Fold, Folded};
use crate::known::Known;

/// Folds all of a store's events.
pub struct Scan(Arc<dyn EventStore>);

pub fn scanning(store: &Arc<dyn EventStore>) -> Folded<Scan> {
    Folded(Scan(Arc::clone(store)))
}

#[async_trait]
impl Fold for Scan {
    async fn known(&self) -> Arc<Mutex<Known>> {
        let all = self.0.read_all(None, Filter::all(), usize::MAX);
        let mut known = Known::default();
        let recorded: Vec<_> = all.try_collect().await.unwrap();
        recorded.iter().for_each(|event| known.apply(event));
        Arc::new(Mutex::new(known))
    }
}
