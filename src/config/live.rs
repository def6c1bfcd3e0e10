//! What only shows when a configuration is put to use: the catalog, the places it writes to, the databases it reads.
//!
//! The service refuses to start with any of these errors; `carnet config check` shows them without starting it, and
//! without making anything that isn't there yet.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Complaint, Config};
use crate::export::catalog::{Catalog, CatalogError};
use crate::keys::{KeyError, KeyRing};

/// What an inspection found.
#[derive(Debug, Default, Serialize)]
pub struct Inspection {
    /// What keeps the service from starting.
    pub errors: Vec<Complaint>,
    /// What is allowed but unwise.
    pub warnings: Vec<Complaint>,
}

impl Config {
    /// Compiles the catalog.
    ///
    /// # Errors
    /// Everything wrong with it, each with file, key and remedy.
    pub fn catalog(&self) -> Result<Catalog, super::ConfigError> {
        Catalog::compile(&self.sources, &self.categories).map_err(|errors| super::ConfigError {
            complaints: errors
                .0
                .into_iter()
                .map(|error| self.in_catalog(error))
                .collect(),
        })
    }

    /// Looks at everything the service will use. Blocks on files and databases.
    pub fn inspect(&self) -> Inspection {
        let mut found = Inspection::default();
        match self.catalog() {
            Ok(catalog) => {
                self.inspect_catalog(&catalog, &mut found);
                self.inspect_sources(&catalog, &mut found);
            }
            Err(error) => found.errors.extend(error.complaints),
        }
        self.inspect_places(&mut found);
        found
    }

    fn in_catalog(&self, error: CatalogError) -> Complaint {
        let key = if error.key.is_empty() {
            error.section
        } else {
            format!("{}: {}", error.section, error.key)
        };
        self.complaint(&key, error.problem, error.remedy)
    }

    fn inspect_catalog(&self, catalog: &Catalog, found: &mut Inspection) {
        if catalog.categories().next().is_none() {
            found.warnings.push(self.complaint(
                "category",
                "no category is configured, so nothing can be exported",
                "add a [[category]]",
            ));
        }
        for category in catalog
            .categories()
            .filter(|category| category.rules.tenant_column.is_none())
        {
            found.warnings.push(self.complaint(
                &format!("[[category]] {:?}: tenant_column", category.id()),
                "is not set, so the isolation of tenants rests on the query alone",
                "select the tenant's column (it may be dropped) and name it here: then every row is compared",
            ));
        }
    }

    fn inspect_places(&self, found: &mut Inspection) {
        if let Err(error) = self.storages() {
            found.errors.extend(error.complaints);
        }
        let mut place = |key: &str, path: &Path, what: &str| {
            if let Err(problem) = writable(path) {
                let remedy = format!(
                    "make the directory for {what} writable for this user, or set another place"
                );
                found.errors.push(self.complaint(
                    key,
                    format!("{}: {problem}", path.display()),
                    remedy,
                ));
            }
        };
        for (key, url, what) in [
            ("store.url", &self.store.url, "events"),
            ("artifacts.url", &self.artifacts.url, "artifacts"),
        ] {
            if let Some(path) = path_in(url) {
                place(key, &path, what);
            }
        }
        place("projections.path", &self.projections.path, "read models");
        for (id, tenant) in &self.tenants {
            if let Some(path) = tenant.artifacts.as_deref().and_then(path_in) {
                place(
                    &format!("tenants.{id}.artifacts"),
                    &path,
                    "this tenant's artifacts",
                );
            }
        }
        if self.keys.file.exists() {
            match KeyRing::open_existing(&self.keys.file) {
                Ok(_) => {}
                Err(error @ KeyError::Exposed { .. }) => {
                    let remedy = format!("run `chmod 600 {}`", self.keys.file.display());
                    found
                        .errors
                        .push(self.complaint("keys.file", error.to_string(), remedy));
                }
                Err(error) => found.errors.push(self.complaint(
                    "keys.file",
                    error.to_string(),
                    "restore the file from its copy, or name another",
                )),
            }
        } else if self.store.is_shared() {
            let file = self.keys.file.display();
            found.errors.push(self.complaint(
                "keys.file",
                format!("{file} isn't there, and the nodes of one event store share their keys"),
                format!("make it once with `carnet keys new {file}`, and give every node a copy"),
            ));
        } else {
            place("keys.file", &self.keys.file, "the key file");
        }
    }
}

fn path_in(url: &str) -> Option<PathBuf> {
    url.strip_prefix("sqlite:")
        .or_else(|| url.strip_prefix("file:"))
        .map(PathBuf::from)
}

/// Whether a file can be written at `path`, or made in the nearest directory above it that exists.
fn writable(path: &Path) -> io::Result<()> {
    if path.is_file() {
        return OpenOptions::new().append(true).open(path).map(|_| ());
    }
    let existing = path
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .unwrap_or(Path::new("."));
    if !existing.is_dir() {
        return Err(io::Error::new(
            io::ErrorKind::NotADirectory,
            format!("{} is not a directory", existing.display()),
        ));
    }
    let probe = existing.join(format!(".carnet-probe-{}", uuid::Uuid::new_v4()));
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&probe)?;
    std::fs::remove_file(&probe)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::config::{Artifacts, Keys, Projections, Store};

    fn config(dir: &Path) -> Config {
        Config {
            file: dir.join("carnet.toml"),
            store: Store {
                url: format!("sqlite:{}", dir.join("data/events.db").display()),
            },
            projections: Projections {
                path: dir.join("data/projections.db"),
            },
            keys: Keys {
                file: dir.join("data/keys"),
            },
            artifacts: Artifacts {
                url: format!("file:{}", dir.join("data/artifacts").display()),
                ..Artifacts::default()
            },
            ..Config::default()
        }
    }

    #[test]
    fn an_inspection_makes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let found = config(dir.path()).inspect();
        assert!(found.errors.is_empty(), "{:?}", found.errors);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn every_place_that_cant_be_written_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(
            dir.path().join("data"),
            "a file where a directory should be",
        )
        .unwrap();
        let found = config(dir.path()).inspect();
        let keys: Vec<&str> = found
            .errors
            .iter()
            .map(|error| error.key.as_str())
            .collect();
        assert_eq!(
            keys,
            [
                "store.url",
                "artifacts.url",
                "projections.path",
                "keys.file"
            ]
        );
        assert!(
            found
                .errors
                .iter()
                .all(|error| error.file.ends_with("carnet.toml") && !error.remedy.is_empty())
        );
    }
}
