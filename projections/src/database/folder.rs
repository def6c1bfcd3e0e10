//! Where the files are. Each projection has one of its own, beside the path that is configured and named after it:
//! of `data/projections.db`, the third generation of `exports` is `data/projections-exports-3.db`.
//!
//! A generation that is being filled has `.filling` at its name's end, and loses it when it is whole: whatever still has
//! it when the service starts was broken off, and is worth nothing.

use std::ffi::OsString;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::meta::APPLICATION_ID;
use crate::{Error, ProjectionName};

/// What SQLite puts beside a database.
pub(super) const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The place of the files, and the right to write there.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    /// Locked for as long as this value lives: two runners would each overwrite what the other counts.
    _lock: fs::File,
}

/// A projection's file, by its name.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) name: ProjectionName,
    pub(crate) generation: u32,
    /// What follows the name of a whole one.
    suffix: String,
    pub(crate) path: PathBuf,
}

impl Found {
    /// Whether it is a whole database, and not something beside one.
    pub(crate) fn is_whole(&self) -> bool {
        self.suffix.is_empty()
    }
}

impl Folder {
    /// Makes the directory if it is absent, and takes the place for this process. The one file of earlier builds is
    /// removed.
    ///
    /// # Errors
    /// When the path names something else, the place is in use, or the directory can't be used.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let lock = fs::File::create(with_suffix(path, "-lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: path.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        remove_earlier(path)?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// The file of a generation.
    pub(crate) fn file(&self, name: ProjectionName, generation: u32) -> PathBuf {
        sibling(&self.path, &format!("-{name}-{generation}"))
    }

    /// The file of a generation while it is filled.
    pub(crate) fn filling(&self, name: ProjectionName, generation: u32) -> PathBuf {
        with_suffix(&self.file(name, generation), FILLING)
    }

    /// Where a damaged file is set aside. Its generation is not used again.
    pub(super) fn damaged(&self, name: ProjectionName, generation: u32) -> PathBuf {
        with_suffix(&self.file(name, generation), DAMAGED)
    }

    /// Removes the damaged files of a projection.
    pub(super) fn forget_damaged(&self, name: ProjectionName) -> std::io::Result<()> {
        let found = self.found()?;
        let mut damaged = found
            .iter()
            .filter(|file| file.name == name && file.suffix == DAMAGED);
        damaged.try_for_each(|file| remove(&file.path))
    }

    /// The files that are there.
    pub(crate) fn found(&self) -> std::io::Result<Vec<Found>> {
        found(&self.path)
    }

    /// Removes the files of a projection but for those of one generation, and what was set aside.
    pub(crate) fn sweep(&self, name: ProjectionName, keep: Option<u32>) -> std::io::Result<()> {
        for file in self.found()? {
            let kept = Some(file.generation) == keep && file.suffix != FILLING;
            if file.name == name && !kept && file.suffix != DAMAGED {
                remove(&file.path)?;
            }
        }
        Ok(())
    }
}

const FILLING: &str = ".filling";
const DAMAGED: &str = ".damaged";

/// The files of projections that belong to `path`.
pub(crate) fn found(path: &Path) -> std::io::Result<Vec<Found>> {
    let directory = match path.parent() {
        Some(directory) if !directory.as_os_str().is_empty() => directory,
        _ => Path::new("."),
    };
    let entries = match fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some((name, generation, suffix)) = parsed(path, &entry.file_name()) {
            found.push(Found {
                name,
                generation,
                suffix,
                path: entry.path(),
            });
        }
    }
    Ok(found)
}

/// What the name of a file says that lies beside `path`.
fn parsed(path: &Path, file: &OsString) -> Option<(ProjectionName, u32, String)> {
    let rest = file.to_str()?.strip_prefix(path.file_stem()?.to_str()?)?;
    let rest = rest.strip_prefix('-')?;
    let (name, rest) = ProjectionName::ALL.into_iter().find_map(|name| {
        let rest = rest.strip_prefix(name.as_str())?;
        Some((name, rest.strip_prefix('-')?))
    })?;
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (generation, rest) = rest.split_at(digits);
    let suffix = match path.extension() {
        Some(extension) => rest.strip_prefix('.')?.strip_prefix(extension.to_str()?)?,
        None => rest,
    };
    let known = ["", FILLING, DAMAGED];
    let ours = known.contains(&suffix) || BESIDE.contains(&suffix);
    let generation = generation.parse().ok().filter(|_| ours)?;
    Some((name, generation, suffix.to_owned()))
}

/// Earlier builds kept all projections in one file, at the path itself. Whatever else is there is not ours to judge,
/// but a database of somebody else's there means that the path is a mistake.
fn remove_earlier(path: &Path) -> Result<(), Error> {
    let mut header = [0; 72];
    match fs::File::open(path).and_then(|mut file| file.read_exact(&mut header)) {
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        other => other?,
    }
    let id = header.last_chunk().map_or(0, |id| i32::from_be_bytes(*id));
    let is_database = header.starts_with(b"SQLite format 3\0");
    if is_database && id != APPLICATION_ID {
        return Err(Error::NotOurs {
            path: path.to_owned(),
        });
    }
    if is_database {
        for suffix in BESIDE {
            remove(&with_suffix(path, suffix))?;
        }
        remove(path)?;
    }
    Ok(())
}

fn sibling(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(suffix);
    if let Some(extension) = path.extension() {
        name.push(".");
        name.push(extension);
    }
    path.with_file_name(name)
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Removes a file, if it is there.
pub(super) fn remove(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_read_back_and_others_are_left_alone() {
        for path in ["data/projections.db", "projections", "/var/lib/a.b.sqlite"] {
            let path = Path::new(path);
            for name in ProjectionName::ALL {
                let file = sibling(path, &format!("-{name}-12"));
                for suffix in ["", FILLING, DAMAGED, "-wal", "-shm"] {
                    let file = with_suffix(&file, suffix);
                    let file = file.file_name().unwrap().to_owned();
                    let expected = Some((name, 12, suffix.to_owned()));
                    assert_eq!(parsed(path, &file), expected, "{file:?}");
                }
            }
        }
        let path = Path::new("projections.db");
        for file in [
            "projections.db",
            "projections.db-lock",
            "projections-exports-1.db.copy",
            "projections-exports-.db",
            "projections-exports-1",
            "projections-users-1.db",
            "other-exports-1.db",
        ] {
            assert_eq!(parsed(path, &file.into()), None, "{file}");
        }
    }
}
