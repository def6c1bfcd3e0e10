//! The texts of `/audit`.

pub(in crate::http::pages) const TITLE: &str = "Audit log";
