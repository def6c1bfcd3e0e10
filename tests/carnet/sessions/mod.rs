//! Signing in with a browser, staying signed in, and signing out.

mod demo;
mod forged;
mod lifetime;
mod provider;
