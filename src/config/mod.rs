//! The configuration: one TOML file, overridden by `CARNET__SECTION__KEY` environment variables.
//!
//! - One struct per section, each with its bounds; unknown keys are refused.
//! - Relative paths are relative to **the directory of the configuration file**, wherever the process was started;
//!   a path given by an environment variable likewise.
//! - `CARNET_SECRETS` names a directory whose files stand for such variables; the environment itself overrides them.
//! - Everything wrong is reported at once, with file, key and remedy ([`ConfigError`]).
//! - `default.toml` beside this file shows every key: those with a default as they are, the others in examples behind a `#`; tests keep it true.

mod artifacts;
mod auth;
mod duration;
mod error;
mod limits;
mod live;
mod load;
mod oidc;
mod paths;
mod print;
mod s3;
mod secret;
mod secret_files;
mod server;
mod session;
mod shape;
mod sources;
mod stores;
mod tenants;
#[cfg(test)]
mod tests;
mod workers;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use carnet_events::ids::TenantId;
use serde::{Deserialize, Serialize};

pub use artifacts::{Artifacts, Compression, Downloads};
pub use auth::{Auth, Claims};
pub use duration::Span;
pub use error::{Complaint, ConfigError};
pub use limits::{Limits, Window};
pub use live::Inspection;
pub use oidc::Oidc;
pub use s3::S3;
pub use secret::{MASK, Secret};
pub use secret_files::DIRECTORY_VARIABLE;
pub use server::Server;
pub use session::Session;
pub use stores::{Keys, Projections, Store};
pub use tenants::Tenant;
pub use workers::Workers;

use crate::export::catalog::{CategoryConfig, SourceConfig};

/// Every key, with its default where it has one, commented.
pub const DEFAULT_TOML: &str = include_str!("default.toml");

/// A configuration. [`Config::load`] gives a checked one, its paths made absolute.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the service listens.
    pub server: Server,
    /// Whose tokens are believed.
    pub auth: Auth,
    /// The key file.
    pub keys: Keys,
    /// The event store.
    pub store: Store,
    /// The read models.
    pub projections: Projections,
    /// Where finished exports are stored.
    pub artifacts: Artifacts,
    /// How buckets are reached.
    pub s3: BTreeMap<String, S3>,
    /// Who may export how often.
    pub limits: Limits,
    /// How exports are run.
    pub workers: Workers,
    /// Databases that categories read from.
    #[serde(rename = "source")]
    pub sources: Vec<SourceConfig>,
    /// What can be exported.
    #[serde(rename = "category")]
    pub categories: Vec<CategoryConfig>,
    /// What single tenants start with.
    pub tenants: BTreeMap<String, Tenant>,
    /// The file all this came from.
    #[serde(skip)]
    pub file: PathBuf,
}

impl Config {
    /// Reads `file`, the files of [`DIRECTORY_VARIABLE`] and the process's environment, checks bounds and makes paths absolute. Touches nothing else: whether
    /// directories can be written and sources answer is seen at start, and by `carnet config check`.
    ///
    /// # Errors
    /// Everything that is wrong, with file, key and remedy.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let directory = std::env::var_os(DIRECTORY_VARIABLE);
        let mut variables = match directory.filter(|directory| !directory.is_empty()) {
            Some(directory) => secret_files::read(Path::new(&directory))?,
            None => Vec::new(),
        };
        variables.extend(std::env::vars_os());
        load::from_file(file, variables)
    }

    /// Whether a module is on for a tenant by configuration; an event may have switched it since.
    pub fn module_is_on(&self, tenant: &TenantId, module: &str) -> bool {
        self.tenants
            .get(tenant.as_str())
            .is_none_or(|tenant| tenant.module_is_on(module))
    }

    /// A complaint about `key` of this configuration, for what only shows when it is put to use.
    pub fn complaint(
        &self,
        key: &str,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Complaint {
        Complaint {
            file: self.file.display().to_string(),
            key: key.to_owned(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    fn check(&self, at: &mut error::Complaints<'_>) {
        self.server.check(at);
        self.auth.check(at);
        self.store.check(at);
        self.artifacts.check(at);
        self.limits.check(at);
        self.workers.check(at);
        for (id, tenant) in &self.tenants {
            tenant.check(id, at);
        }
        self.check_storages(at);
    }
}
