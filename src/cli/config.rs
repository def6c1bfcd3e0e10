//! `carnet config print|check`.

use serde_json::json;

use super::output::Output;
use futures::{StreamExt as _, stream};

use super::{ConfigFile, Failure, block_on};
use crate::config::{Complaint, Config, ConfigError, DEFAULT_TOML, Inspection};
use crate::export::artifact::{ArtifactStore, Location};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the configuration in effect, secrets masked
    Print(Print),
    /// Check the file, the catalog against its sources, directories and storage
    Check(Check),
}

#[derive(Debug, clap::Args)]
pub(super) struct Print {
    #[command(flatten)]
    config: ConfigFile,
    /// Print the commented default file instead
    #[arg(long, conflicts_with = "json")]
    default: bool,
    /// Print JSON instead of TOML
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Check {
    #[command(flatten)]
    config: ConfigFile,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    match command {
        Command::Print(args) => print(args, output),
        Command::Check(args) => check(args, output),
    }
}

fn print(args: &Print, output: &mut Output) -> Result<(), Failure> {
    if args.default {
        return output.text(DEFAULT_TOML);
    }
    let config = args.config.load()?;
    if args.json {
        output.json(&config.shown()?)
    } else {
        let text = config
            .shown_toml()
            .map_err(|e| Failure::Failed(e.to_string()))?;
        output.text(&text)
    }
}

/// Looks at every bucket, changing nothing. One that can't be used keeps the service from taking requests for it, not from starting.
async fn inspect_buckets(config: &Config) -> Vec<Complaint> {
    let (common, own) = match config.storages() {
        Ok(storages) => storages,
        Err(error) => return error.complaints,
    };
    let own = own
        .into_iter()
        .map(|(tenant, location)| (format!("tenants.{tenant}.artifacts"), location));
    let all = std::iter::once(("artifacts.url".to_owned(), common)).chain(own);
    let look = async |(key, location): (String, Location)| {
        let error = ArtifactStore::look(location).await.err()?;
        let remedy = error.remedy();
        let remedy = remedy.unwrap_or("see whether this storage is well, and try again");
        Some(config.complaint(&key, error.problem(), remedy))
    };
    let looked = stream::iter(all).map(look).buffered(16);
    looked.filter_map(std::future::ready).collect().await
}

fn check(args: &Check, output: &mut Output) -> Result<(), Failure> {
    let found = match args.config.load() {
        Ok(config) => {
            let mut found = config.inspect();
            if found.errors.is_empty() {
                found.errors = block_on(inspect_buckets(&config))?;
            }
            found
        }
        Err(ConfigError { complaints }) => Inspection {
            errors: complaints,
            warnings: Vec::new(),
        },
    };
    let ok = found.errors.is_empty();
    if args.json {
        output.json(&json!({"ok": ok, "errors": found.errors, "warnings": found.warnings}))?;
    } else {
        for warning in &found.warnings {
            output.remark(&format!("warning: {warning}"));
        }
        for error in &found.errors {
            output.complain(&error.to_string());
        }
        if ok {
            output.line(&format!("{}: in order", args.config.file.display()))?;
        }
    }
    if ok { Ok(()) } else { Err(Failure::Said(1)) }
}
