//! The texts of `/operator`.

pub(in crate::http::pages) const TITLE: &str = "Operations";
