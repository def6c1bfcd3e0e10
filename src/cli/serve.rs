//! `carnet serve`: the service, until it is told to stop.

use std::net::SocketAddr;

use super::output::Output;
use super::{ConfigFile, Failure};
use crate::config::Config;
use crate::service::Service;
use crate::telemetry;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    config: ConfigFile,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let config = args.config.load()?;
    telemetry::install_log()?;
    serve(config, |address| {
        output.line(&format!("carnet serves http://{address}"))
    })
}

/// Serves until SIGTERM or Ctrl-C; `ready` is told the address once requests are answered.
pub(super) fn serve(
    config: Config,
    ready: impl FnOnce(SocketAddr) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let metrics = telemetry::install_metrics()?;
    actix_web::rt::System::new().block_on(async {
        let service = Service::start(config, Some(metrics)).await?;
        ready(service.address())?;
        service.run(told_to_stop()).await?;
        Ok(())
    })
}

/// Waits for SIGTERM or Ctrl-C.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("signals can't be listened for; only SIGKILL will stop this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
