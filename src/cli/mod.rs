//! The command line; one file per command.
//!
//! Results go to stdout, everything said about them to stderr; with `--json` the result is one JSON document. Exit
//! codes: 0 done, 1 not done (or a file isn't intact), 2 used wrongly (or a file couldn't be checked).

mod config;
mod demo;
mod events;
mod keys;
mod openapi;
mod operator;
mod output;
mod projections;
mod remote;
mod replay;
mod serve;
mod token;
mod verify;

use std::path::PathBuf;
use std::process::ExitCode;

use carnet_events::ids::Timestamp;
use clap::{Parser, Subcommand};

use crate::config::{Config, ConfigError};
use output::Output;

/// Self-hosted account data exports whose history can be audited.
#[derive(Debug, Parser)]
#[command(name = "carnet", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop
    Serve(serve::Args),
    /// Make sample tenants and serve them
    Demo(demo::Args),
    /// Sign a development token
    Token(token::Args),
    /// Check a received file offline
    Verify(verify::Args),
    /// Show the state of an export at any revision or time
    Replay(replay::Args),
    /// Show or rebuild the read models
    #[command(subcommand)]
    Projections(projections::Command),
    /// Intervene in the running service
    #[command(subcommand)]
    Operator(operator::Command),
    /// Show or check the configuration
    #[command(subcommand)]
    Config(config::Command),
    /// Make the key file that nodes share, or change its keys
    #[command(subcommand)]
    Keys(keys::Command),
    /// Move the event log to another store
    #[command(subcommand)]
    Events(events::Command),
    /// Print the API's description (OpenAPI 3.1)
    Openapi,
}

/// Which configuration a command works with.
#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration file
    #[arg(long = "config", value_name = "FILE", default_value = "carnet.toml")]
    file: PathBuf,
}

impl ConfigFile {
    fn load(&self) -> Result<Config, ConfigError> {
        Config::load(&self.file)
    }
}

/// How a command ended, short of success.
#[derive(Debug)]
enum Failure {
    /// Said on stderr; exit code 1.
    Failed(String),
    /// Everything has been said already; exit with this code.
    Said(u8),
    /// Nobody reads our output any more; nothing to say.
    Closed,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Runs a future to its end, for commands that aren't services.
fn block_on<T>(future: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}

/// The present by the system's clock.
fn now() -> Timestamp {
    Timestamp::from_millis(jiff::Timestamp::now().as_millisecond())
}

/// Runs the command of this process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut output = Output::new();
    let outcome = match cli.command {
        Command::Serve(args) => serve::run(&args, &mut output),
        Command::Demo(args) => demo::run(&args, &mut output),
        Command::Token(args) => token::run(&args, &mut output),
        Command::Verify(args) => verify::run(&args, &mut output),
        Command::Replay(args) => replay::run(&args, &mut output),
        Command::Projections(command) => projections::run(&command, &mut output),
        Command::Operator(command) => operator::run(&command, &mut output),
        Command::Config(command) => config::run(&command, &mut output),
        Command::Keys(command) => keys::run(&command, &mut output),
        Command::Events(command) => events::run(&command, &mut output),
        Command::Openapi => openapi::run(&mut output),
    };
    match outcome {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(Failure::Said(code)) => ExitCode::from(code),
        Err(Failure::Failed(message)) => {
            output.complain(&message);
            ExitCode::FAILURE
        }
    }
}
