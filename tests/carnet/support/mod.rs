//! What the tests share.

use std::path::PathBuf;

mod browser;
mod client;
mod clock;
mod cluster;
mod inside;
mod provider;
pub(crate) mod s3;
mod server;
mod site;

pub(crate) use browser::Browser;
pub(crate) use client::{Answer, Client};
pub(crate) use clock::HandClock;
pub(crate) use cluster::Cluster;
pub(crate) use inside::Inside;
pub(crate) use provider::ProviderStandIn;
pub(crate) use server::Server;
pub(crate) use site::{SECRET, Site};

/// The program under test: this build's, or the one named by `CARNET_BIN`.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("CARNET_BIN").map_or_else(|| env!("CARGO_BIN_EXE_carnet").into(), Into::into)
}
