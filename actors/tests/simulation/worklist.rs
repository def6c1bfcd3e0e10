//! A node's worklist: a fold of the log that lags behind. It lies on the node's disk, so it outlives the processes.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_actors::ports::{
    Clock as _, Due, DueAction, Mark, OpenAdmission, Page, Queued, Running, Unreleased, Worklist,
    WorklistError,
};
use carnet_events::ids::{TenantId, Timestamp};
use carnet_events::store::{EventStore as _, Filter};
use futures::TryStreamExt;
use tokio::time::{Duration, timeout};

use crate::known::Known;
use crate::line::Line;

pub type Disk = Arc<Mutex<Known>>;

/// The longest that the log is waited for.
const PATIENCE: Duration = Duration::from_secs(5);

pub struct LaggingWorklist(pub Disk);

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
impl Worklist for LaggingWorklist {
    async fn open_admissions(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        Ok(self.0.lock().unwrap().open_admissions(after, limit))
    }

    async fn queued(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Queued>, WorklistError> {
        Ok(self.0.lock().unwrap().queued(after, limit))
    }

    async fn running(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Running>, WorklistError> {
        Ok(self.0.lock().unwrap().running(after, limit))
    }

    async fn due(
        &self,
        action: DueAction,
        ended_by: Timestamp,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Due>, WorklistError> {
        Ok(self.0.lock().unwrap().due(action, ended_by, after, limit))
    }

    async fn unreleased(
        &self,
        after: Option<Mark>,
        limit: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        Ok(self.0.lock().unwrap().unreleased(after, limit))
    }

    async fn ending(
        &self,
        ended_by: Timestamp,
        after: Option<TenantId>,
        limit: usize,
    ) -> Result<Vec<TenantId>, WorklistError> {
        Ok(self.0.lock().unwrap().ending(ended_by, after, limit))
    }
}
