//! Watching over a running attempt: its lease, its signs of life, and whether it is still wanted.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::domain::export::{ExportCommand, Progress};
use carnet_events::stream::StreamName;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::Attempt;
use crate::journal::CommandError;
use crate::ports::{Job, RunFailure, RunOutput};
use crate::shared::Shared;

/// How long a cancelled runner is waited for before its task is dropped.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// How an attempt ended.
pub(super) enum End {
    /// The runner came to an end by itself.
    Finished(Result<Box<RunOutput>, RunFailure>),
    /// It showed no progress for too long.
    Stalled,
    /// The process stops.
    HandBack,
    /// The export was cancelled, or is somebody else's now.
    Unwanted,
}

type Run = JoinHandle<Result<RunOutput, RunFailure>>;

impl Attempt<'_> {
    /// Runs the job until it ends or isn't wanted any more. It is told then, and given [`LAST_WORDS`]; after that it is abandoned at its next wait. A
    /// thread that it keeps busy may go on for a while, and what that stores can't be published: it is swept.
    pub(super) async fn run(&self, job: Job) -> End {
        let (sender, progress) = watch::channel(Progress::START);
        let cancel = CancellationToken::new();
        let _listed = self.shared.live.enter(
            self.export,
            self.runner.attempt,
            progress.clone(),
            cancel.clone(),
        );
        let runner = Arc::clone(&self.shared.ports.runner);
        let token = cancel.clone();
        // Whoever cancelled it before it was listed found no runner to tell.
        if !self.is_current().await {
            return End::Unwanted;
        }
        let work = async move { runner.run(job, sender, token).await };
        let mut run = self.shared.runtime.spawn(work);
        let end = self.watch_over(&mut run, progress, &cancel).await;
        if let End::Finished(_) = end {
            return end;
        }
        cancel.cancel();
        match tokio::time::timeout(LAST_WORDS, &mut run).await {
            // It finished after all, too late: what it stored is for nobody.
            Ok(Ok(Ok(output))) => self.discard_if_void(&output.artifact.key).await,
            Ok(_) => {}
            Err(_) => run.abort(),
        }
        end
    }

    async fn watch_over(
        &self,
        run: &mut Run,
        mut progress: watch::Receiver<Progress>,
        cancel: &CancellationToken,
    ) -> End {
        let Shared { options, ports, .. } = &**self.shared;
        let tick = (options.lease / 3).min(options.stall_after);
        let mut seen_at = ports.clock.monotonic();
        loop {
            tokio::select! {
                biased;
                finished = &mut *run => return End::Finished(match finished {
                    Ok(result) => result.map(Box::new),
                    // It panicked. What it said is on standard error.
                    Err(_) => Err(RunFailure::retryable("internal")),
                }),
                () = cancel.cancelled() => return End::Unwanted,
                () = self.shared.hand_back.cancelled() => return End::HandBack,
                () = ports.clock.sleep(tick) => {}
            }
            let now = ports.clock.monotonic();
            // Whatever is told is a sign of life, the same once more included.
            let told = progress.has_changed().unwrap_or(false);
            let seen = progress.borrow_and_update().clone();
            if told {
                seen_at = now;
            } else if now.saturating_sub(seen_at) >= options.stall_after {
                return End::Stalled;
            }
            if !self.renew(&seen).await {
                return End::Unwanted;
            }
        }
    }

    /// Whether this attempt is the one that runs. In doubt it is: the report will tell.
    async fn is_current(&self) -> bool {
        let stream = StreamName::export(self.export);
        let Ok(fold) = self.shared.exports.load(&stream).await else {
            return true;
        };
        let (node, incarnation) = (self.runner.node, self.runner.incarnation);
        let running = fold.state.export().and_then(|export| export.running());
        running.is_some_and(|running| running.is_of(self.runner.attempt, node, incarnation))
    }

    /// Shows a sign of life. `false` when the attempt is fenced off; when the store can't be reached the runner goes on,
    /// for nothing it does counts before its report is appended.
    async fn renew(&self, progress: &Progress) -> bool {
        let command = ExportCommand::Progress(self.runner, progress.clone());
        let command = self.shared.own_command(&self.tenant, command);
        match self.shared.command_export(self.export, command).await {
            Ok((Ok(_), _)) => true,
            Ok((Err(CommandError::Illegal(illegal)), _)) => {
                tracing::info!(export = %self.export, %illegal, "an attempt is fenced off");
                false
            }
            Ok((Err(CommandError::Failed(error)), _)) | Err(error) => {
                tracing::warn!(export = %self.export, %error, "a lease could not be renewed");
                true
            }
        }
    }
}
