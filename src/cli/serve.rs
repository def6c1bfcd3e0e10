//! `carnet serve`: the service, until it is told to stop.

use std::net::SocketAddr;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::output::Output;
use super::{ConfigFile, Failure};
use crate::config::Config;
use crate::service::{Around, Service};
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    telemetry::install_log()?;
    serve(config, false, |address| {
        output.line(&format!("carnet serves http://{address}"))
    })
}

/// Serves until SIGTERM or Ctrl-C, in earnest or as the demo; `ready` is told the address once requests are answered.
pub(super) fn serve(
    config: Config,
    demo: bool,
    ready: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let metrics = telemetry::install_metrics()?;
    actix_web::rt::System::new().block_on(async {
        // Listened for from the first moment on: whoever is told to stop while it starts, or as soon as it has, stops in order.
        let stop = Signals::listen()?;
        let around = Around {
            metrics: Some(metrics),
            demo,
            ..Around::default()
        };
        let service = Service::start(config, around).await?;
        ready(service.address())?;
        service.run(stop.received()).await?;
        Ok(())
    })
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
