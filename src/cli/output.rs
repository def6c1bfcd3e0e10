//! The one place that prints.

use std::io::{self, IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::Failure;

/// Where a command's result and its remarks go.
pub(super) struct Output {
    out: io::Stdout,
    err: io::Stderr,
}

impl Output {
    pub(super) fn new() -> Self {
        Self {
            out: io::stdout(),
            err: io::stderr(),
        }
    }

    /// A line of the result.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        closed(writeln!(self.out, "{text}"))
    }

    /// Text of the result as it is.
    pub(super) fn text(&mut self, text: &str) -> Result<(), Failure> {
        closed(
            self.out
                .write_all(text.as_bytes())
                .and_then(|()| self.out.flush()),
        )
    }

    /// The result as one JSON document.
    pub(super) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)?;
        self.line(&text)
    }

    /// A remark for people; lost if nobody listens.
    pub(super) fn remark(&mut self, text: &str) {
        let _ = writeln!(self.err, "{text}");
    }

    /// What went wrong.
    pub(super) fn complain(&mut self, text: &str) {
        self.remark(&format!("error: {text}"));
    }

    /// A bar of bytes on a terminal, nothing elsewhere; `total` may be unknown.
    pub(super) fn bytes_bar(&self, total: Option<u64>) -> ProgressBar {
        let template = if total.is_some() {
            "{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
        } else {
            "{spinner} {bytes} {bytes_per_sec}"
        };
        hidden_or(self.err.is_terminal(), total, template)
    }

    /// A counter of `unit` on a terminal, nothing elsewhere.
    pub(super) fn counter(&self, unit: &str) -> ProgressBar {
        hidden_or(
            self.err.is_terminal(),
            None,
            &format!("{{spinner}} {{human_pos}} {unit} {{per_sec}}"),
        )
    }
}

fn hidden_or(terminal: bool, total: Option<u64>, template: &str) -> ProgressBar {
    if !terminal {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_style(style)
}

fn closed(written: io::Result<()>) -> Result<(), Failure> {
    written.map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => Failure::Closed,
        _ => Failure::Failed(format!("writing to stdout: {error}")),
    })
}
