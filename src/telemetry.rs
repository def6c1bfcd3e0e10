//! Logs and metrics: set up once, by the process that runs.
//!
//! Logs go to stderr: JSON lines for programs, text on a terminal. What is logged names ids, codes, counts and
//! durations, never tokens, links, bodies or exported values; and since we can't promise that for our
//! dependencies, `CARNET_LOG` opens up our own crates only, the others never say more than warnings.

use std::io::IsTerminal as _;
use std::time::Duration;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

/// The environment variable with our level: `error`, `warn`, `info` (the default), `debug` or `trace`.
pub const LEVEL_VARIABLE: &str = "CARNET_LOG";

/// Our crates, as they stand before log lines.
const OURS: [&str; 4] = [
    "carnet",
    "carnet_actors",
    "carnet_events",
    "carnet_projections",
];

/// Buckets of histograms in seconds, from a status read to a very long export.
const SECONDS: [f64; 14] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0,
];

/// How often metrics are tended.
const TEND_EVERY: Duration = Duration::from_secs(5);

/// Why logs or metrics can't be set up.
#[derive(Debug, thiserror::Error)]
#[error("{what} can't be set up: {reason}")]
pub struct TelemetryError {
    what: &'static str,
    reason: String,
}

/// Installs the log for this process, at the level of [`LEVEL_VARIABLE`].
///
/// # Errors
/// When the level isn't one, or a log is installed already.
pub fn install_log() -> Result<(), TelemetryError> {
    let error = |reason: String| TelemetryError {
        what: "the log",
        reason,
    };
    let level = match std::env::var(LEVEL_VARIABLE) {
        Ok(text) => text.parse().map_err(|_| {
            error(format!(
                "{LEVEL_VARIABLE}={text:?} is not a level; write error, warn, info, debug or trace"
            ))
        })?,
        Err(_) => LevelFilter::INFO,
    };
    let json = !std::io::stderr().is_terminal();
    tracing::subscriber::set_global_default(subscriber(level, json, std::io::stderr))
        .map_err(|e| error(e.to_string()))
}

/// The log, written to `writer`; tests write it to memory.
pub fn subscriber<W>(
    level: LevelFilter,
    json: bool,
    writer: W,
) -> impl tracing::Subscriber + Send + Sync
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let targets = Targets::new()
        .with_default(level.min(LevelFilter::WARN))
        .with_targets(OURS.map(|target| (target, level)));
    let layer = tracing_subscriber::fmt::layer().with_writer(writer);
    let layer = if json {
        layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .boxed()
    } else {
        layer.compact().boxed()
    };
    Registry::default().with(layer.with_filter(targets))
}

/// Installs the metrics of this process; the handle renders them.
///
/// # Errors
/// When metrics are installed already, or the thread that tends them can't be started.
pub fn install_metrics() -> Result<PrometheusHandle, TelemetryError> {
    let error = |reason: String| TelemetryError {
        what: "metrics",
        reason,
    };
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS);
    let handle = builder
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|e| error(e.to_string()))?;
    let tended = handle.clone();
    // Samples of histograms pile up until they are sorted into their buckets, whether anybody asks for them or not.
    let tend = move || {
        loop {
            std::thread::sleep(TEND_EVERY);
            tended.run_upkeep();
        }
    };
    let thread = std::thread::Builder::new().name("metrics".to_owned());
    thread.spawn(tend).map_err(|e| error(e.to_string()))?;
    Ok(handle)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Buffer(Arc<Mutex<Vec<u8>>>);

    impl Write for Buffer {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_are_json_with_the_request_s_ids_and_others_are_kept_quiet() {
        let buffer = Buffer::default();
        let made = buffer.clone();
        let log = subscriber(LevelFilter::TRACE, true, move || made.clone());
        tracing::subscriber::with_default(log, || {
            let span = tracing::info_span!("request", request_id = "r1", trace_id = "t1");
            span.in_scope(|| tracing::info!(duration_ms = 1.5, "answered"));
            tracing::debug!(target: "hyper::proto", "authorization: Bearer secret");
            tracing::warn!(target: "hyper::proto", "trouble");
        });
        let text = String::from_utf8(buffer.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<serde_json::Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert_eq!(lines[0]["message"], "answered");
        assert_eq!(lines[0]["span"]["request_id"], "r1");
        assert_eq!(lines[0]["span"]["trace_id"], "t1");
        assert_eq!(lines[0]["duration_ms"], 1.5);
        assert!(!text.contains("secret"));
    }
}
