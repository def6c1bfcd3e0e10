//! A node's worklist: a fold of the log that lags behind. It lies on the node's disk, so it outlives the processes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_actors::ports::Clock as _;
use carnet_events::store::{EventStore as _, Filter};
use futures::TryStreamExt;
use tokio::time::{Duration, timeout};

use crate::folded::{Fold, Folded};
use crate::known::Known;
use crate::line::Line;

pub type Disk = Arc<Mutex<Known>>;

/// The longest that the log is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes what is on the disk, however old.
pub struct Lagging(Disk);

pub fn lagging(disk: &Disk) -> Folded<Lagging> {
    Folded(Lagging(Arc::clone(disk)))
}

/// Brings what is on the disk up to date, now and then.
pub async fn follow(disk: Disk, line: Line) {
    loop {
        let lag = match line.chance.percent(90) {
            true => line.chance.millis(20, 1000),
            false => line.chance.seconds(1, 10),
        };
        line.clock.sleep(lag).await;
        let after = disk.lock().unwrap().after;
        let news = line.read_all(after, Filter::all(), usize::MAX);
        if let Ok(Ok(news)) = timeout(PATIENCE, news.try_collect::<Vec<_>>()).await {
            line.clock.power.gate().await;
            let mut known = disk.lock().unwrap();
            news.iter().for_each(|event| known.apply(event));
        }
    }
}

#[async_trait]
impl Fold for Lagging {
    async fn known(&self) -> Disk {
        Arc::clone(&self.0)
    }
}
