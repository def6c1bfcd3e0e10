//! `carnet events`: moving the log to another store.

use carnet_events::copy::{CopyError, Move, Report, Stage, copy};
use carnet_events::store::{self, Access, EventStore};
use clap::Subcommand;
use serde_json::json;
use std::sync::Arc;

use super::output::Output;
use super::{Failure, block_on, now};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy all events to another, empty store, and seal this one
    Copy(Args),
}

/// Stop every service on the source first. The source is sealed for good: nothing can be written to it afterwards. Every
/// event keeps its bytes, id, stream and revision; erased directories stay erased. At the end both logs are read again and
/// compared. A copy that was broken off goes on when the same command is run again. The target can be
/// served from only when the command has said that the copy is equal. The source says where it went, and goes nowhere else.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The store to copy from, as in `store.url`
    #[arg(long, value_name = "URL")]
    from: String,
    /// The store to copy to; it must be empty, or a begun copy of the same log
    #[arg(long, value_name = "URL")]
    to: String,
    /// The store that the source was copied to before, as its seal names it, when that copy is lost for good and nothing will
    /// ever be served from it again; the seal then names the new place, and the new log records this
    #[arg(long, value_name = "URL")]
    instead_of: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    let Command::Copy(args) = command;
    for (option, url) in [("--from", &args.from), ("--to", &args.to)] {
        if url.starts_with("memory:") {
            return Err(Failure::Failed(format!(
                "{option}: a log in memory is gone with its process; name a store that stays"
            )));
        }
    }
    let bar = output.counter("events");
    let progress = |stage: Stage| {
        let (Stage::Resuming(events) | Stage::Copying(events) | Stage::Verifying(events)) = stage;
        bar.set_position(events);
    };
    let to = place(&args.to)?;
    let abandoned = args.instead_of.as_deref().map(place).transpose()?;
    let way = Move {
        to: &to,
        instead_of: abandoned.as_deref(),
        now: now(),
    };
    let report = block_on(async {
        let source = open_source(&args.from).await?;
        let target = open("--to", &args.to).await?;
        let copied = copy(source.as_ref(), target.as_ref(), way, &progress).await;
        copied.map_err(|error| said(args, &error))
    })?;
    bar.finish_and_clear();
    tell(args, &report?, output)
}

/// Opens the source. A path that was mistyped is no empty log to be made there.
async fn open_source(url: &str) -> Result<Arc<dyn EventStore>, Failure> {
    if let Some(path) = url.strip_prefix("sqlite:")
        && !std::path::Path::new(path).exists()
    {
        return Err(Failure::Failed(format!(
            "--from: there is no file {path}; check the path, which counts from where you stand"
        )));
    }
    open("--from", url).await
}

async fn open(option: &str, url: &str) -> Result<Arc<dyn EventStore>, Failure> {
    let opened = store::open(url, Access::ReadWrite).await;
    opened.map_err(|error| Failure::Failed(format!("{option}: {error}")))
}

/// What the source's seal says of a store: the same, wherever the command is run and whoever opens it.
fn place(url: &str) -> Result<String, Failure> {
    let Some(path) = url.strip_prefix("sqlite:") else {
        return Ok(store::identity(url));
    };
    let unclear = |error: std::io::Error| Failure::Failed(format!("{url}: {error}"));
    let path = std::path::absolute(path).map_err(unclear)?;
    let directory = path.parent().and_then(|parent| parent.canonicalize().ok());
    let path = match (directory, path.file_name()) {
        (Some(directory), Some(name)) => directory.join(name),
        _ => path,
    };
    Ok(format!("sqlite:{}", path.display()))
}

fn said(args: &Args, error: &CopyError) -> Failure {
    let shown = |url: &str| store::shown(url);
    let remedy = match error {
        CopyError::Elsewhere(_) => {
            ". Name that place with --to; only if the copy there is lost for good, and nothing is ever served from it \
             again, give it up with --instead-of URL"
        }
        _ => "",
    };
    Failure::Failed(format!(
        "copying {} to {}: {error}{remedy}",
        shown(&args.from),
        shown(&args.to)
    ))
}

fn tell(args: &Args, report: &Report, output: &mut Output) -> Result<(), Failure> {
    let (from, to) = (store::shown(&args.from), store::shown(&args.to));
    if args.json {
        return output.json(&json!({
            "from": from,
            "to": to,
            "log": report.log,
            "events": report.events,
            "resumed": report.resumed,
            "streams": report.streams,
            "erased": report.erased,
            "digest": report.digest.to_string(),
        }));
    }
    let resumed = match report.resumed {
        0 => String::new(),
        events => format!(", {events} of them by an earlier attempt"),
    };
    output.line(&format!(
        "copied {} events in {} streams{resumed}; {} erased streams stay erased",
        report.events, report.streams, report.erased
    ))?;
    output.line(&format!("both logs are equal: {}", report.digest))?;
    output.remark(&format!(
        "{from} is sealed; set store.url to the new one before you serve again"
    ));
    Ok(())
}
