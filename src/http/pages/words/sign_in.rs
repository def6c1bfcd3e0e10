//! Signing in and out.

pub(in crate::http::pages) const CHOOSE: &str = "Choose who you are";
pub(in crate::http::pages) const DEMO: &str =
    "This is the demo: there are no passwords, and the people, tenants and data are made up.";
pub(in crate::http::pages) const PLATFORM: &str = "The platform";
pub(in crate::http::pages) const SIGN_IN_AS: &str = "Sign in as";
pub(in crate::http::pages) const SIGNED_OUT: &str = "You are signed out";
pub(in crate::http::pages) const SIGNED_OUT_HERE: &str =
    "Your session has ended, on every page and tab.";
pub(in crate::http::pages) const SIGN_OUT_THERE: &str = "Sign out of the identity provider, too";
pub(in crate::http::pages) const SIGN_IN_AGAIN: &str = "Sign in again";

/// A role, as people call it.
pub(in crate::http::pages) fn role(role: &str) -> &str {
    match role {
        "client_admin" => "Administrator",
        "member" => "Member",
        "auditor" => "Auditor",
        "operator" => "Operator",
        other => other,
    }
}

/// What somebody with a role may do.
pub(in crate::http::pages) fn may(role: &str) -> &str {
    match role {
        "client_admin" => {
            "Exports the tenant's data, downloads the files, and reads the audit log."
        }
        "member" => "Works for the tenant, but may not export: finds nothing here.",
        "auditor" => "Reads the audit log and every export's history; never gets a file.",
        "operator" => "Looks after the whole service; sees no tenant's data.",
        _ => "",
    }
}
