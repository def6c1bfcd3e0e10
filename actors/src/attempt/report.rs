//! Reporting what came of an attempt, until the answer is definite.

use std::time::Duration;

use carnet_events::domain::export::{Export, ExportCommand, ExportState, Failure};
use carnet_events::stream::StreamName;

use super::{After, Attempt};
use crate::journal::{CommandError, Fold};
use crate::ports::{RunFailure, RunOutput};

/// First and longest wait before a report is repeated that could not be decided.
const PAUSE: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

enum Reported {
    Accepted(Fold<ExportState>),
    /// The export was settled otherwise, or another attempt is the current one.
    Fenced,
    /// The store could not be reached until the process had to end.
    Undecided,
}

impl Attempt<'_> {
    /// Publishes what was made: this append, and nothing else, makes the object an artifact.
    pub(super) async fn publish(&self, output: RunOutput) -> After {
        let key = output.artifact.key.clone();
        let command = ExportCommand::Complete {
            runner: self.runner,
            artifact: output.artifact,
            categories: output.categories,
            expires_at: output.expires_at,
        };
        let reported = self.until_definite(command).await;
        if matches!(reported, Reported::Fenced) {
            self.discard_if_void(&key).await;
        }
        self.conclude(reported).await
    }

    /// Reports a failure; another attempt may follow.
    pub(super) async fn fail(&self, failure: RunFailure) -> After {
        let (export, attempt) = (self.export, self.runner.attempt);
        tracing::warn!(%export, attempt, code = failure.code, "attempt failed");
        let retry = self.shared.options.retry;
        let factor = 1_u32.checked_shl(self.failures).unwrap_or(u32::MAX);
        let wait = retry.first.saturating_mul(factor).min(retry.longest);
        let failure = Failure {
            code: failure.code,
            parameters: failure.parameters,
            retry_after: failure.retryable.then_some(wait),
            max_attempts: retry.max_attempts,
        };
        let command = ExportCommand::FailAttempt(self.runner, failure);
        let reported = self.until_definite(command).await;
        self.conclude(reported).await
    }

    /// Gives the export back to the queue.
    pub(super) async fn hand_back(&self) -> After {
        let reported = self
            .until_definite(ExportCommand::HandBack(self.runner))
            .await;
        self.conclude(reported).await
    }

    async fn conclude(&self, reported: Reported) -> After {
        match reported {
            Reported::Accepted(fold) => match fold.state.export() {
                Some(export) => self.after(export).await,
                None => After::Unclear,
            },
            Reported::Fenced => self.look().await,
            Reported::Undecided => After::Unclear,
        }
    }

    /// Repeats the command until it is decided. A repetition whose first try was appended after all is fenced off,
    /// and then the stream says what became of it.
    async fn until_definite(&self, command: ExportCommand) -> Reported {
        let command = self.shared.own_command(&self.tenant, command);
        let mut pause = PAUSE.0;
        loop {
            let answer = self
                .shared
                .command_export(self.export, command.clone())
                .await;
            let error = match answer {
                Ok((Ok(_), fold)) => return Reported::Accepted(fold),
                Ok((Err(CommandError::Illegal(illegal)), _)) => {
                    tracing::info!(export = %self.export, %illegal, "a report came too late");
                    return Reported::Fenced;
                }
                Ok((Err(CommandError::Failed(error)), _)) | Err(error) => error,
            };
            tracing::warn!(export = %self.export, %error, "a report could not be decided");
            if !error.is_transient() {
                return Reported::Undecided;
            }
            tokio::select! {
                biased;
                () = self.shared.abandon.cancelled() => return Reported::Undecided,
                () = self.shared.ports.clock.sleep(pause) => {}
            }
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Removes a stored object, but only when a linearizable read shows that it can never be published: the export is
    /// settled without it, or a later attempt has begun. In doubt it stays, for the sweep to judge.
    pub(super) async fn discard_if_void(&self, key: &str) {
        let stream = StreamName::export(self.export);
        let Ok(fold) = self.shared.exports.load(&stream).await else {
            return;
        };
        let Some(export) = fold.state.export() else {
            return;
        };
        if is_void(export, self.runner.attempt, key)
            && let deleted = self.shared.ports.runner.delete(key)
            && let Err(error) = self.shared.removed(deleted).await
        {
            tracing::warn!(export = %self.export, %error, "a void object was not removed; the sweep will");
        }
    }
}

/// Whether the object `key` of `attempt` can never be published.
pub(crate) fn is_void(export: &Export, attempt: u32, key: &str) -> bool {
    let published = export
        .published()
        .map(|published| published.artifact.key.as_str());
    published != Some(key) && (export.outcome().is_some() || export.attempt > attempt)
}
