//! The demo: a folder with two sample tenants, a configuration of its own, and everything the service writes.

mod data;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

pub use data::{SampleTenant, TENANTS};

/// The demo's configuration, with `@listen@` and `@secret@` to be filled in.
const TEMPLATE: &str = include_str!("carnet.toml");

/// A person of the demo, with what their token says.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The user.
    pub user: &'static str,
    /// The tenant; operators have none.
    pub tenant: Option<&'static str>,
    /// The role.
    pub role: &'static str,
    /// Permissions.
    pub permissions: &'static [&'static str],
}

impl Person {
    /// What they are called where one is chosen: role and tenant, as in `client_admin@acme`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.role, self.tenant.unwrap_or("platform"))
    }
}

/// One person of every kind.
pub const PEOPLE: [Person; 7] = [
    Person {
        user: "ada",
        tenant: Some("acme"),
        role: "client_admin",
        permissions: &["exports:users"],
    },
    Person {
        user: "max",
        tenant: Some("acme"),
        role: "member",
        permissions: &[],
    },
    Person {
        user: "ivy",
        tenant: Some("acme"),
        role: "auditor",
        permissions: &[],
    },
    Person {
        user: "gus",
        tenant: Some("globex"),
        role: "client_admin",
        permissions: &["exports:users"],
    },
    Person {
        user: "mia",
        tenant: Some("globex"),
        role: "member",
        permissions: &[],
    },
    Person {
        user: "eli",
        tenant: Some("globex"),
        role: "auditor",
        permissions: &[],
    },
    Person {
        user: "olga",
        tenant: None,
        role: "operator",
        permissions: &[],
    },
];

/// The demo's folder could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// Files.
    #[error("the demo can't write to {path}: {source}; name another folder with --dir")]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The sample database.
    #[error(
        "the sample database {path} can't be written: {source}; name another folder with --dir"
    )]
    Database {
        /// Where.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// No randomness for the secret.
    #[error("the machine has no randomness for the demo's secret")]
    Randomness,
}

/// Makes the demo in `folder`, or takes up the one that is there, and gives its configuration file.
///
/// # Errors
/// When the folder can't be written.
pub fn prepare(folder: &Path, listen: &str) -> Result<PathBuf, DemoError> {
    let io = |source| DemoError::Io {
        path: folder.to_owned(),
        source,
    };
    fs::create_dir_all(folder).map_err(io)?;
    let database = folder.join("tenants.db");
    if !database.exists() {
        // Written beside and renamed, so that an interrupted demo is begun anew.
        let draft = folder.join("tenants.db.new");
        let _ = fs::remove_file(&draft);
        data::write(&draft).map_err(|source| DemoError::Database {
            path: draft.clone(),
            source,
        })?;
        fs::rename(&draft, &database).map_err(io)?;
    }
    let config = folder.join("carnet.toml");
    if !config.exists() {
        let mut secret = [0; 32];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| DemoError::Randomness)?;
        let text = TEMPLATE
            .replace("@listen@", listen)
            .replace("@secret@", &hex::encode(secret));
        let draft = folder.join("carnet.toml.new");
        let _ = fs::remove_file(&draft);
        write_secret(&draft, &text).map_err(io)?;
        fs::rename(&draft, &config).map_err(io)?;
    }
    Ok(config)
}

/// Writes a file that only its owner may read: whoever has the secret can sign tokens for anybody.
fn write_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::config::Config;

    #[test]
    fn the_demo_is_made_once_and_taken_up_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = prepare(folder.path(), "127.0.0.1:8080").unwrap();
        let first = fs::read_to_string(&file).unwrap();
        assert_eq!(prepare(folder.path(), "127.0.0.1:9090").unwrap(), file);
        assert_eq!(fs::read_to_string(&file).unwrap(), first);
        assert_eq!(Config::load(&file).unwrap().categories.len(), 4);
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds a secret");
    }
}
