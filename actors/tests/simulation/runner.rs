//! A stand-in for the export pipeline: it takes its time, fails now and then, and stores a digest for a file.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA256, digest};
use carnet_actors::ports::{
    Clock as _, Ids as _, Job, ObjectFailure, RunFailure, RunOutput, Runner, SweepJudge,
    SweepReport, Verdict,
};
use carnet_events::codec::{Context, encode};
use carnet_events::domain::export::{
    CategoryResult, Completed, ExportEvent, Phase, Progress, PublishedArtifact,
};
use carnet_events::ids::{Digest, TenantId, Timestamp};
use carnet_events::store::Expected;
use carnet_events::stream::StreamName;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::bucket::Bucket;
use crate::chance::Chance;
use crate::checker::Checker;
use crate::mutation::Mutation;
use crate::server::{Process, Server};
use crate::time::NodeClock;

/// The policy of every category.
pub const POLICY: Digest = Digest::from_bytes([7; 32]);

#[derive(Clone)]
pub struct SimulatedRunner {
    pub process: Process,
    pub clock: NodeClock,
    pub bucket: Arc<Bucket>,
    pub server: Arc<Server>,
    pub checker: Arc<Mutex<Checker>>,
    pub chance: Chance,
    pub mutation: Mutation,
}

/// How a run will go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
    Well,
    FailsForNow,
    FailsForGood,
    Stalls,
    Panics,
}

impl SimulatedRunner {
    fn manner(&self) -> Manner {
        match self.chance.below(100) {
            0..10 => Manner::FailsForNow,
            10..13 => Manner::FailsForGood,
            13..16 => Manner::Stalls,
            16..18 => Manner::Panics,
            _ => Manner::Well,
        }
    }

    fn key(&self, job: &Job) -> String {
        let (tenant, export) = (&job.request.tenant, job.export);
        match self.mutation {
            Mutation::AttemptsShareKeys => format!("{tenant}/{export}/1-shared"),
            _ => format!("{tenant}/{export}/{}-{}", job.attempt, job.claim),
        }
    }

    /// Stores the file; one that may be there after a failure is removed, as far as that can be done.
    async fn store(&self, job: &Job) -> Result<RunOutput, RunFailure> {
        let key = self.key(job);
        let sha256 = content(job);
        self.clock.power.gate().await;
        let stored = self.bucket.put(&key, sha256).await;
        self.clock.power.gate().await;
        if stored.is_err() {
            let _ = self.delete(&key).await;
            return Err(RunFailure::retryable("storage"));
        }
        let category = |(id, policy_digest): (&String, &Digest)| {
            let result = CategoryResult {
                rows: 3,
                read_at: job.started_at,
                policy_digest: *policy_digest,
            };
            (id.clone(), result)
        };
        let output = RunOutput {
            artifact: PublishedArtifact {
                key,
                bytes: 10,
                sha256,
                media_type: "application/gzip".to_owned(),
                json_bytes: 20,
                json_sha256: sha256,
                checksum: sha256,
                blocks_root: sha256,
            },
            categories: job.policy_digests.iter().map(category).collect(),
            expires_at: job.ttl.map(|ttl| job.started_at.plus(ttl)),
        };
        if self.mutation == Mutation::RunnerIgnoresFencing {
            self.publish(job, &output).await;
        }
        Ok(output)
    }

    /// Publishes by itself, wherever the export stands.
    async fn publish(&self, job: &Job, output: &RunOutput) {
        let completed = ExportEvent::Completed(Completed {
            attempt: job.attempt,
            artifact: output.artifact.clone(),
            categories: output.categories.clone(),
            expires_at: output.expires_at,
        });
        let (id, now) = (self.chance.random(), self.clock.now());
        let event = encode(id, now, &completed, &Context::default()).unwrap();
        let stream = StreamName::export(job.export);
        let append = self
            .server
            .append(self.process, &stream, Expected::Any, vec![event]);
        let _ = append.await;
    }
}

/// What the file of an attempt holds, as a digest.
fn content(job: &Job) -> Digest {
    let told = format!("{} {} {}", job.export, job.attempt, job.claim);
    let digest = digest(&SHA256, told.as_bytes());
    Digest::from_bytes(digest.as_ref().try_into().unwrap())
}

#[async_trait]
impl Runner for SimulatedRunner {
    fn current_digests(
        &self,
        categories: &[String],
    ) -> Result<BTreeMap<String, Digest>, RunFailure> {
        Ok(categories.iter().map(|id| (id.clone(), POLICY)).collect())
    }

    fn storage_answers(&self, _: &TenantId) -> bool {
        true
    }

    async fn storage_verified(&self, _: &TenantId) -> bool {
        true
    }

    async fn run(
        &self,
        job: Job,
        progress: watch::Sender<Progress>,
        cancel: CancellationToken,
    ) -> Result<RunOutput, RunFailure> {
        self.checker.lock().unwrap().run(self.process, &job);
        let manner = self.manner();
        let deaf = self.chance.percent(15);
        let (steps, longest) = match self.chance.percent(70) {
            true => (self.chance.below(4), 1500),
            false => (self.chance.below(12), 6000),
        };
        for step in 1..=steps as u64 {
            self.clock.sleep(self.chance.millis(1, longest)).await;
            if cancel.is_cancelled() && !deaf {
                return Err(RunFailure::retryable("cancelled"));
            }
            if manner == Manner::Stalls {
                std::future::pending::<()>().await;
            }
            progress.send_replace(Progress {
                phase: Phase::Reading,
                category: Some("users".to_owned()),
                rows: step,
                bytes: step * 100,
            });
        }
        match manner {
            Manner::Well | Manner::Stalls => self.store(&job).await,
            Manner::FailsForNow => Err(RunFailure::retryable("source_unavailable")),
            Manner::FailsForGood => Err(RunFailure::permanent("schema_drift")),
            // As a panic, but that nothing is printed.
            Manner::Panics => std::panic::resume_unwind(Box::new("planned")),
        }
    }

    async fn delete(&self, key: &str) -> Result<(), ObjectFailure> {
        self.clock.power.gate().await;
        let deleted = self.bucket.delete(key).await;
        self.clock.power.gate().await;
        deleted
    }

    async fn sweep(
        &self,
        before: Timestamp,
        judge: Arc<dyn SweepJudge>,
    ) -> Result<SweepReport, ObjectFailure> {
        let mut report = SweepReport::default();
        self.clock.power.gate().await;
        for key in self.bucket.list(before).await? {
            let mut parts = key.split('/').skip(1);
            let export = parts.next().unwrap().parse().unwrap();
            let attempt = parts.next().unwrap().split('-').next().unwrap();
            let verdict = match self.mutation {
                Mutation::SweepAsksNobody => Verdict::Remove,
                _ => judge.judge(export, attempt.parse().unwrap(), &key).await,
            };
            match verdict {
                Verdict::Keep => report.kept += 1,
                Verdict::Unknown => report.unknown += 1,
                Verdict::Remove => {
                    report.removed += 1;
                    self.delete(&key).await?;
                }
            }
        }
        Ok(report)
    }
}
