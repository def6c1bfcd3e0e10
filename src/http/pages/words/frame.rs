//! What surrounds every page.

pub(in crate::http::pages) const PRODUCT: &str = "Carnet";
pub(in crate::http::pages) const PLATFORM: &str = "Platform";
pub(in crate::http::pages) const SKIP: &str = "Skip to content";
pub(in crate::http::pages) const DESKS: &str = "Desks";
pub(in crate::http::pages) const PORTAL: &str = "Data exports";
pub(in crate::http::pages) const AUDIT: &str = "Audit log";
pub(in crate::http::pages) const OPERATOR: &str = "Operations";
pub(in crate::http::pages) const SIGN_OUT: &str = "Sign out";
pub(in crate::http::pages) const SIGNED_OUT: &str = "You are no longer signed in.";
pub(in crate::http::pages) const SIGN_IN_AGAIN: &str = "Sign in again";
pub(in crate::http::pages) const CONNECTION_LOST: &str =
    "Connection lost. Trying again; what you see may be out of date.";
