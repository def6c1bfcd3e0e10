//! `carnet serve`: the service, until it is told to stop.

use std::net::SocketAddr;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::Output;
use super::{ConfigFile, Failure};
use crate::config::Config;
use crate::export::artifact::storage::under_way;
use crate::service::{Around, Service};
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
    /// Take this key file though the log was used with other keys, which are lost for good
    #[arg(long)]
    replace_keys: bool,
    /// Take storages that are empty though the log was used with them, because what they held is lost for good
    #[arg(long)]
    replace_storages: bool,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    telemetry::install_log()?;
    let around = Around {
        replace_keys: args.replace_keys,
        replace_storages: args.replace_storages,
        ..Around::default()
    };
    serve(config, around, |address| {
        output.line(&format!("carnet serves http://{address}"))
    })
}

/// Serves until SIGTERM or Ctrl-C; `ready` is told the address once requests are answered.
pub(super) fn serve(
    config: Config,
    around: Around,
    ready: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let metrics = telemetry::install_metrics()?;
    let system = actix_web::rt::System::new();
    let served = system.block_on(async {
        // Listened for from the first moment on: whoever is told to stop while it starts, or as soon as it has, stops in order.
        let stop = Signals::listen()?;
        let around = Around {
            metrics: Some(metrics),
            ..around
        };
        let service = Service::start(config, around).await?;
        ready(service.address())?;
        service.run(stop.received()).await?;
        Ok(())
    });
    if under_way() {
        // Taking the runtime down would wait for threads that hang in a directory. They end with the process.
        tracing::warn!("an artifact directory doesn't answer; it isn't waited for");
        std::mem::forget(system);
    }
    served
}

/// What tells a service to stop: SIGTERM and Ctrl-C.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn received(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
