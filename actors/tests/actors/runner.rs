//! A stand-in for the export pipeline: it stores nothing but the keys of what it would have stored, and does to each
//! job what the test planned.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use carnet_actors::ports::{
    Job, ObjectFailure, RunFailure, RunOutput, Runner, SweepJudge, SweepReport, Verdict,
};
use carnet_events::domain::export::{CategoryResult, Phase, Progress, PublishedArtifact};
use carnet_events::ids::{Digest, ExportId, TenantId, Timestamp};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// What becomes of a run.
#[derive(Clone)]
pub enum Plan {
    /// It is done at once.
    Finish,
    Fail(RunFailure),
    /// It works until it is told to stop.
    UntilCancelled,
    /// It works, and finishes when the test says so, deaf to cancellation.
    WhenTold(Arc<Notify>),
    /// It makes progress whenever the clock is moved.
    Panic,
}

pub struct FakeRunner {
    plans: Mutex<VecDeque<Plan>>,
    otherwise: Mutex<Plan>,
    pub jobs: Mutex<Vec<Job>>,
    pub running: watch::Sender<usize>,
    pub most_at_once: watch::Sender<usize>,
    /// Keys of stored objects.
    pub objects: Mutex<BTreeSet<String>>,
    pub deleted: Mutex<Vec<String>>,
    pub verified: Mutex<bool>,
    pub answers: Mutex<bool>,
    pub delete_fails: Mutex<bool>,
    /// Keys of objects that can't be deleted.
    pub stuck: Mutex<BTreeSet<String>>,
    /// The sender of the newest run, to make progress by hand.
    pub progress: Mutex<Option<watch::Sender<Progress>>>,
}

impl FakeRunner {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            plans: Mutex::default(),
            otherwise: Mutex::new(Plan::Finish),
            jobs: Mutex::default(),
            running: watch::Sender::new(0),
            most_at_once: watch::Sender::new(0),
            objects: Mutex::default(),
            deleted: Mutex::default(),
            verified: Mutex::new(true),
            answers: Mutex::new(true),
            delete_fails: Mutex::new(false),
            stuck: Mutex::default(),
            progress: Mutex::default(),
        })
    }

    /// What becomes of the next run that has no plan yet.
    pub fn plan(&self, plan: Plan) {
        self.plans.lock().unwrap().push_back(plan);
    }

    /// What becomes of all others.
    pub fn otherwise(&self, plan: Plan) {
        *self.otherwise.lock().unwrap() = plan;
    }

    pub fn jobs_of(&self, export: ExportId) -> Vec<Job> {
        let jobs = self.jobs.lock().unwrap();
        jobs.iter()
            .filter(|job| job.export == export)
            .cloned()
            .collect()
    }

    pub fn has(&self, key: &str) -> bool {
        self.objects.lock().unwrap().contains(key)
    }

    pub fn store(&self, key: &str) {
        self.objects.lock().unwrap().insert(key.to_owned());
    }

    fn output(&self, job: &Job) -> RunOutput {
        let key = format!(
            "{}/{}/{}-{}.json.gz",
            job.request.tenant, job.export, job.attempt, job.claim
        );
        self.store(&key);
        let digest = Digest::from_bytes([9; 32]);
        let category = |(id, policy_digest): (&String, &Digest)| {
            let result = CategoryResult {
                rows: 3,
                read_at: job.started_at,
                policy_digest: *policy_digest,
            };
            (id.clone(), result)
        };
        RunOutput {
            artifact: PublishedArtifact {
                key,
                bytes: 10,
                sha256: digest,
                media_type: "application/gzip".to_owned(),
                json_bytes: 20,
                json_sha256: digest,
                checksum: digest,
                blocks_root: digest,
            },
            categories: job.policy_digests.iter().map(category).collect(),
            expires_at: job.ttl.map(|ttl| job.started_at.plus(ttl)),
        }
    }
}

struct Count<'a>(&'a FakeRunner);

impl<'a> Count<'a> {
    fn new(runner: &'a FakeRunner) -> Self {
        runner.running.send_modify(|running| *running += 1);
        let now = *runner.running.borrow();
        runner
            .most_at_once
            .send_modify(|most| *most = now.max(*most));
        Self(runner)
    }
}

impl Drop for Count<'_> {
    fn drop(&mut self) {
        self.0.running.send_modify(|running| *running -= 1);
    }
}

#[async_trait]
impl Runner for FakeRunner {
    fn current_digests(
        &self,
        categories: &[String],
    ) -> Result<BTreeMap<String, Digest>, RunFailure> {
        if let Some(gone) = categories.iter().find(|id| *id == "gone") {
            return Err(RunFailure::permanent("category_removed").with("category", gone));
        }
        Ok(categories
            .iter()
            .map(|id| (id.clone(), Digest::from_bytes([7; 32])))
            .collect())
    }

    async fn storage_verified(&self, _: &TenantId) -> bool {
        *self.verified.lock().unwrap()
    }

    fn storage_answers(&self, _: &TenantId) -> bool {
        *self.answers.lock().unwrap()
    }

    async fn run(
        &self,
        job: Job,
        progress: watch::Sender<Progress>,
        cancel: CancellationToken,
    ) -> Result<RunOutput, RunFailure> {
        let planned = self.plans.lock().unwrap().pop_front();
        let plan = planned.unwrap_or_else(|| self.otherwise.lock().unwrap().clone());
        self.jobs.lock().unwrap().push(job.clone());
        progress.send_replace(Progress {
            phase: Phase::Reading,
            category: Some("users".to_owned()),
            rows: 1,
            bytes: 100,
        });
        *self.progress.lock().unwrap() = Some(progress);
        let _count = Count::new(self);
        match plan {
            Plan::Finish => Ok(self.output(&job)),
            Plan::Fail(failure) => Err(failure),
            Plan::UntilCancelled => {
                cancel.cancelled().await;
                Err(RunFailure::retryable("cancelled"))
            }
            Plan::WhenTold(told) => {
                told.notified().await;
                Ok(self.output(&job))
            }
            Plan::Panic => panic!("planned"),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectFailure> {
        let is_stuck = self.stuck.lock().unwrap().contains(key);
        if is_stuck || *self.delete_fails.lock().unwrap() {
            return Err(ObjectFailure {
                reason: "planned".to_owned(),
            });
        }
        self.objects.lock().unwrap().remove(key);
        self.deleted.lock().unwrap().push(key.to_owned());
        Ok(())
    }

    async fn sweep(
        &self,
        _: Timestamp,
        judge: Arc<dyn SweepJudge>,
    ) -> Result<SweepReport, ObjectFailure> {
        let mut report = SweepReport::default();
        let keys: Vec<String> = self.objects.lock().unwrap().iter().cloned().collect();
        for key in keys {
            let mut parts = key.split('/').skip(1);
            let export = parts.next().unwrap().parse().unwrap();
            let attempt = parts
                .next()
                .unwrap()
                .split('-')
                .next()
                .unwrap()
                .parse()
                .unwrap();
            match judge.judge(export, attempt, &key).await {
                Verdict::Keep => report.kept += 1,
                Verdict::Unknown => report.unknown += 1,
                Verdict::Remove => {
                    report.removed += 1;
                    self.objects.lock().unwrap().remove(&key);
                }
            }
        }
        Ok(report)
    }
}
