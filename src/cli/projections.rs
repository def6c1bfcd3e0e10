//! `carnet projections status|rebuild`: the read models' state, and making them anew.

use std::sync::Arc;
use std::time::Duration;

use carnet_events::ids::Timestamp;
use carnet_events::store::{self, Access};
use carnet_projections::{
    Error, Options, ProjectionName, Projections, StoredStatus, stored_status,
};
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::output::Output;
use super::remote::{Remote, Service};
use super::{ConfigFile, Failure, block_on, now};
use crate::config::Config;
use crate::service::open_log;

/// How often a rebuild's progress is shown.
const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show how far each projection is
    Status(Status),
    /// Fill projections anew from the first event on; through the service, where one is running
    Rebuild(Rebuild),
}

#[derive(Debug, clap::Args)]
pub(super) struct Status {
    #[command(flatten)]
    config: ConfigFile,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Rebuild {
    #[command(flatten)]
    config: ConfigFile,
    /// Which; all when none is named
    #[arg(value_name = "PROJECTION")]
    names: Vec<ProjectionName>,
    #[command(flatten)]
    remote: Remote,
    /// Why, for the running service's log
    #[arg(long, default_value = "asked for at the command line")]
    reason: String,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Status(args) => status(args, output),
        Command::Rebuild(args) => rebuild(args, output),
    }
}

fn status(args: &Status, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    let stored = stored_status(&config.projections.path)?;
    let last = block_on(async {
        let store = open_log(&config.store.url, Access::ReadOnly).await?;
        store.last_position().await
    })??;
    if args.json {
        let projections: Vec<Value> = stored.iter().map(document).collect();
        return output.json(&json!({"last_position": last, "projections": projections}));
    }
    let shown = last.map_or_else(|| "none".to_owned(), |last| last.to_string());
    output.line(&format!("last position of the log: {shown}"))?;
    if stored.is_empty() {
        return output.line("no projections yet; the service makes them when it starts");
    }
    for one in &stored {
        let position = one
            .position
            .map_or_else(|| "none".to_owned(), |position| position.to_string());
        let newest = one
            .newest_event_at
            .map_or_else(|| "-".to_owned(), |at| at.to_string());
        let state = match &one.stopped {
            Some(reason) => format!("STOPPED: {reason}"),
            None if one.position >= last => "current".to_owned(),
            None => "behind".to_owned(),
        };
        output.line(&format!(
            "{:<11} position {position}, {} events, newest {newest}, generation {}: {state}",
            one.name, one.events, one.generation
        ))?;
        if let Some(why) = &one.rebuild_failed {
            output.line(&format!(
                "{:<11} its last rebuild came to nothing: {why}",
                ""
            ))?;
        }
    }
    Ok(())
}

fn document(one: &StoredStatus) -> Value {
    json!({
        "name": one.name,
        "version": one.version,
        "generation": one.generation,
        "position": one.position,
        "newest_event_at": one.newest_event_at.map(|at: Timestamp| at.to_string()),
        "events": one.events,
        "stopped": one.stopped,
        "rebuild_failed": one.rebuild_failed,
    })
}

fn rebuild(args: &Rebuild, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    let names = if args.names.is_empty() {
        ProjectionName::ALL.to_vec()
    } else {
        args.names.clone()
    };
    let bar = output.counter("events");
    let rebuilt = block_on(async {
        let store = open_log(&config.store.url, Access::ReadOnly).await?;
        let projections = Projections::start(Arc::clone(&store), options(&config)).await?;
        projections.wait_until_current().await?;
        let work = projections.rebuild(&names);
        tokio::pin!(work);
        loop {
            tokio::select! {
                outcome = &mut work => break outcome?,
                () = tokio::time::sleep(TICK) => {
                    let status = projections.status(now()).await;
                    let rebuilt = status.projections.iter().filter_map(|one| one.rebuilding.map(|rebuilding| rebuilding.events)).max();
                    bar.set_position(rebuilt.unwrap_or(0));
                }
            }
        }
        let status = projections.status(now()).await;
        let events = status
            .projections
            .iter()
            .filter(|one| names.contains(&one.name))
            .map(|one| one.events)
            .max();
        projections.shutdown().await;
        Ok::<_, Rebuilding>(events.unwrap_or(0))
    })?;
    let events = match rebuilt {
        Ok(events) => events,
        Err(Rebuilding::Failed(failure)) => return Err(failure),
        Err(Rebuilding::InUse) => {
            if !args.remote.has_token() {
                return Err(Failure::Failed(
                    "a running service keeps these projections: have it fill them anew, with --as USER or an \
                     operator's token (see --help), or stop it"
                        .to_owned(),
                ));
            }
            let service = args.remote.service(&args.config)?;
            block_on(through(&service, &names, &args.reason, &bar))??
        }
    };
    bar.finish_and_clear();
    let names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    if args.json {
        output.json(&json!({"rebuilt": names, "events": events}))
    } else {
        output.line(&format!(
            "rebuilt {} from {events} events",
            names.join(", ")
        ))
    }
}

fn options(config: &Config) -> Options {
    Options::new(&config.projections.path).of_store(store::identity(&config.store.url))
}

/// Why projections could not be filled anew right here.
enum Rebuilding {
    /// A service keeps them.
    InUse,
    Failed(Failure),
}

impl From<Error> for Rebuilding {
    fn from(error: Error) -> Self {
        match error {
            Error::InUse { .. } => Self::InUse,
            other => Self::Failed(other.into()),
        }
    }
}

impl From<store::StoreError> for Rebuilding {
    fn from(error: store::StoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Looks without a sign of a rebuild after which it has come to nothing.
const IDLE_LOOKS: u32 = 50;

/// Has the running service fill the projections anew, one after the other; gives the events they were filled from.
async fn through(
    service: &Service,
    names: &[ProjectionName],
    reason: &str,
    bar: &ProgressBar,
) -> Result<u64, Failure> {
    let mut most = 0;
    for name in names {
        let before = look(service, *name).await?["generation"].clone();
        let path = format!("/api/operator/projections/{name}/rebuild");
        service.post(&path, &json!({ "reason": reason })).await?;
        let mut idle = 0;
        let after = loop {
            let seen = look(service, *name).await?;
            let under_way = seen["rebuilding"].as_u64();
            bar.set_position(under_way.unwrap_or(0));
            if under_way.is_none() && seen["generation"] != before {
                break seen;
            }
            idle = if under_way.is_none() { idle + 1 } else { 0 };
            if idle > IDLE_LOOKS {
                let why = seen["rebuild_failed"].as_str();
                let why = why.unwrap_or("the service's log says why");
                let message = format!("`{name}` was not filled anew: {why}");
                return Err(Failure::Failed(message));
            }
            tokio::time::sleep(TICK).await;
        };
        most = most.max(after["events"].as_u64().unwrap_or(0));
    }
    Ok(most)
}

/// How the running service's projection stands.
async fn look(service: &Service, name: ProjectionName) -> Result<Value, Failure> {
    let overview = service.get("/api/operator/overview").await?;
    let all = overview["projections"].as_array().into_iter().flatten();
    let found = all.into_iter().find(|one| one["name"] == name.as_str());
    found
        .cloned()
        .ok_or_else(|| Failure::Failed(format!("the service has no projection `{name}`")))
}
