//! `[tenants.<id>]`: what one tenant starts with. Events override it where both speak of a tenant.

use serde::{Deserialize, Serialize};

use super::artifacts;
use super::error::Complaints;

/// `[tenants.<id>]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tenant {
    /// The tenant's own storage; left out, `artifacts.url`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifacts: Option<String>,
    /// The section that says how its bucket is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<String>,
    /// Modules switched on beside `core`. Left out, every module is on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub modules: Option<Vec<String>>,
}

/// The module that every tenant has.
const CORE: &str = "core";

impl Tenant {
    pub(super) fn module_is_on(&self, module: &str) -> bool {
        module == CORE
            || self
                .modules
                .as_ref()
                .is_none_or(|on| on.iter().any(|name| name == module))
    }

    pub(super) fn check(&self, id: &str, at: &mut Complaints<'_>) {
        let key = format!("tenants.{id}");
        if id.is_empty() || id.len() > 128 {
            at.add(&key, "is not a tenant id", "ids have 1 to 128 bytes");
        }
        if let Some(url) = &self.artifacts {
            artifacts::check_url(&format!("{key}.artifacts"), url, at);
        }
        if self
            .modules
            .as_ref()
            .is_some_and(|modules| modules.len() > 1_000 || modules.iter().any(String::is_empty))
        {
            at.add(
                &format!("{key}.modules"),
                "is not a list of modules",
                "name each module once, as in [\"support\"]",
            );
        }
    }
}
