//! What only shows when a configuration is put to use: the catalog, the places it writes to, the databases it reads.
//!
//! The service refuses to start with any of these errors; `carnet config check` shows them without starting it, and
//! without making anything that isn't there yet.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
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
        found.errors.extend(self.misplaced_files());
        found
    }

    /// What stands where one of the service's own files is to be, and isn't one of its files.
    fn misplaced_files(&self) -> Vec<Complaint> {
        let store = self.store.url.strip_prefix("sqlite:").map(Path::new);
        let files = [
            ("store.url", store, "events.db"),
            (
                "projections.path",
                Some(self.projections.path.as_path()),
                "projections.db",
            ),
            ("keys.file", Some(self.keys.file.as_path()), "keys"),
        ];
        let mut found = Vec::new();
        for (key, path, name) in files {
            if let Some(path) = path.filter(|path| path.is_dir()) {
                found.push(self.complaint(
                    key,
                    format!("{} is a directory", path.display()),
                    format!("name a file in it, such as {}", path.join(name).display()),
                ));
            }
        }
        let same = |one: &Path, other: &Path| match (one.canonicalize(), other.canonicalize()) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        };
        let source_in = |path: &Path| {
            let mut sources = self.sources.iter();
            sources.find(|source| path_in(&source.url).is_some_and(|other| same(path, &other)))
        };
        match store.map(|path| (path, source_in(path))) {
            Some((path, Some(source))) => found.push(self.complaint(
                "store.url",
                format!(
                    "{} is the database of the source {:?}",
                    path.display(),
                    source.name
                ),
                "give the events a file of their own, such as sqlite:data/events.db",
            )),
            Some((path, None)) if is_no_database(path) => found.push(self.complaint(
                "store.url",
                format!("{} is no SQLite database", path.display()),
                "name the file that has the events, or one that isn't there yet",
            )),
            _ => {}
        }
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

/// Whether a file holds something that doesn't begin as every SQLite database does. An empty one may become one.
fn is_no_database(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut begin));
    path.is_file() && read.is_ok() && !begin.is_empty() && begin != b"SQLite format 3\0"
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
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
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
    fn what_can_not_be_a_file_of_the_service_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (tenants, text) = (dir.path().join("tenants.db"), dir.path().join("notes"));
        rusqlite::Connection::open(&tenants)
            .and_then(|db| db.execute_batch("create table users (id)"))
            .unwrap();
        std::fs::write(&text, "milk, bread and a number of other things").unwrap();
        for (place, problem) in [
            (dir.path(), "is a directory"),
            (&tenants, "is the database of the source \"main\""),
            (&text, "is no SQLite database"),
        ] {
            let mut config = config(dir.path());
            config.sources = toml::from_str::<Config>(&format!(
                "[[source]]\nname = \"main\"\nurl = \"sqlite:{}\"\n",
                tenants.display()
            ))
            .unwrap()
            .sources;
            config.store.url = format!("sqlite:{}", place.display());
            let found = config.inspect().errors;
            let [complaint] = &found[..] else {
                panic!("{place:?}: {found:?}");
            };
            assert_eq!(complaint.key, "store.url");
            assert!(complaint.problem.ends_with(problem), "{complaint}");
            assert!(!complaint.remedy.is_empty() && !complaint.file.is_empty());
        }
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
