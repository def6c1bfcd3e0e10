//! What the tests share.

mod client;
mod server;
mod site;

pub(crate) use client::{Answer, Client};
pub(crate) use server::Server;
pub(crate) use site::Site;
