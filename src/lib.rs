//! Carnet: self-hosted account data exports whose history can be audited.

pub mod auth;
pub mod cli;
pub mod config;
pub mod demo;
pub mod export;
pub mod http;
pub mod keys;
mod sealed;
pub mod service;
pub mod telemetry;
