//! `carnet replay`: the state of an export at any revision or time, folded from its events and nothing else.
//!
//! Opens the store read-only, so it can be used beside a running service.

use carnet_events::codec;
use carnet_events::domain::Decider as _;
use carnet_events::domain::export::{Export, ExportDecider, ExportEvent, ExportState};
use carnet_events::ids::{ExportId, Timestamp};
use carnet_events::store::{Access, Direction, EventStore, ReadFrom};
use carnet_events::stream::StreamName;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::output::Output;
use super::{ConfigFile, Failure, block_on};
use crate::service::open_log;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// The export's id
    export: ExportId,
    /// The state after the event with this revision
    #[arg(long, value_name = "N", conflicts_with = "at")]
    revision: Option<u64>,
    /// The state at this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

/// One event, as far as it is shown.
struct Step {
    revision: u64,
    at: Timestamp,
    kind: &'static str,
    status: &'static str,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    let (steps, state) = block_on(async {
        let store = open_log(&config.store.url, Access::ReadOnly).await?;
        replay(store.as_ref(), args).await
    })??;
    let Some(export) = state.export() else {
        return Err(Failure::Failed(format!(
            "{} did not exist then, or never",
            args.export
        )));
    };
    if args.json {
        output.json(&document(args, &steps, export))
    } else {
        describe(args, &steps, export, output)
    }
}

async fn replay(store: &dyn EventStore, args: &Args) -> Result<(Vec<Step>, ExportState), Failure> {
    let stream = StreamName::export(args.export);
    let mut events = store.read(&stream, ReadFrom::Start, Direction::Forwards, usize::MAX);
    let (mut steps, mut state) = (Vec::new(), ExportDecider::initial());
    while let Some(recorded) = events.next().await.transpose()? {
        let (_, event) = codec::decode::<ExportEvent>(&recorded)?;
        let later = args.revision.is_some_and(|last| recorded.revision > last)
            || args.at.is_some_and(|at| event.at > at);
        if later {
            break;
        }
        state = ExportDecider::evolve(state, &event);
        steps.push(Step {
            revision: recorded.revision,
            at: event.at,
            kind: codec::DomainEvent::kind(&event.what),
            status: state
                .export()
                .map_or("missing", |export| export.status().as_str()),
        });
    }
    match (args.revision, steps.last()) {
        (Some(asked), Some(last)) if asked > last.revision => Err(Failure::Failed(format!(
            "{} has no revision {asked} yet; its newest is {}",
            args.export, last.revision
        ))),
        _ => Ok((steps, state)),
    }
}

fn document(args: &Args, steps: &[Step], export: &Export) -> Value {
    let events: Vec<Value> = steps
        .iter()
        .map(|step| json!({"revision": step.revision, "at": step.at.to_string(), "type": step.kind, "status": step.status}))
        .collect();
    let last = steps.last();
    json!({
        "export_id": args.export,
        "revision": last.map(|step| step.revision),
        "at": last.map(|step| step.at.to_string()),
        "status": export.status().as_str(),
        "state": export,
        "events": events,
    })
}

fn describe(
    args: &Args,
    steps: &[Step],
    export: &Export,
    output: &mut Output,
) -> Result<(), Failure> {
    output.line(&format!("{}: {}", args.export, export.status()))?;
    for step in steps {
        output.line(&format!(
            "  {:>5}  {}  {:<17} {}",
            step.revision, step.at, step.kind, step.status
        ))?;
    }
    output.line(&serde_json::to_string_pretty(export)?)
}
