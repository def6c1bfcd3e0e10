//! `carnet keys new|add|use`: the key file that nodes share, and changing its keys without signing anyone out.

use std::path::PathBuf;

use serde_json::json;

use super::Failure;
use super::output::Output;
use crate::keys::KeyRing;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a key file, to be copied to every node
    New(Args),
    /// Add a fresh key, recognised but not used yet: the first step of a change, on every node
    Add(Args),
    /// Use the key added last: the second step, once every node recognises it
    Use(Args),
}

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The key file
    #[arg(value_name = "FILE", default_value = "data/keys")]
    file: PathBuf,
    /// Print a JSON document
    #[arg(long)]
    json: bool,
}

pub(super) fn run(command: &Command, output: &mut Output) -> Result<(), Failure> {
    let (args, ring) = match command {
        Command::New(args) => (args, KeyRing::make(&args.file)),
        Command::Add(args) => (args, KeyRing::add(&args.file)),
        Command::Use(args) => (args, KeyRing::promote(&args.file)),
    };
    let ring = ring?;
    let (ids, current) = (ring.ids(), ring.current_id());
    if args.json {
        return output.json(&json!({"file": args.file, "keys": ids, "current": current}));
    }
    output.line(&format!("{}: {}", args.file.display(), ids.join(", ")))?;
    output.remark(&format!(
        "{current} is in use; nodes read the file when they start"
    ));
    Ok(())
}
