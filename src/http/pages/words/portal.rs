//! The texts of `/settings`.

pub(in crate::http::pages) const TITLE: &str = "Data exports";
