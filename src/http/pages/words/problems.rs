//! Problems as pages; what happened and what to do is in the codes themselves.

pub(in crate::http::pages) const REQUEST: &str = "Request";
pub(in crate::http::pages) const HOME: &str = "Back to the start";
