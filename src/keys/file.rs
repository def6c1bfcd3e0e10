//! The file that holds the ring: made whole or not at all, private, and changed only by replacing it.

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;

use super::{KeyError, KeyRing, MASTER_BYTES};

/// A ring larger than this is some other file.
const MAX_FILE_BYTES: u64 = 64 * 1024;

/// The ring's text.
pub(super) fn read(path: &Path) -> Result<String, KeyError> {
    let io = |source| io_error(path, source);
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(KeyError::Absent {
                path: path.to_owned(),
            });
        }
        metadata => metadata.map_err(io)?,
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed {
            path: path.to_owned(),
            mode,
        });
    }
    if metadata.len() > MAX_FILE_BYTES {
        return Err(KeyError::Malformed {
            path: path.to_owned(),
            line: 0,
        });
    }
    fs::read_to_string(path).map_err(io)
}

/// Makes a ring where there is none. Two processes that do so at once agree on one.
pub(super) fn make_if_absent(path: &Path) -> Result<(), KeyError> {
    if path.try_exists().map_err(|error| io_error(path, error))? {
        return Ok(());
    }
    match make(path) {
        Err(KeyError::Exists { .. }) => Ok(()),
        made => made,
    }
}

/// Makes a ring; written beside its place and linked there, so that a crash leaves a whole file or none.
pub(super) fn make(path: &Path) -> Result<(), KeyError> {
    let parent = parent(path);
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|error| io_error(path, error))?;
    let text = format!(
        "# Carnet's keys. Keep this file secret, and keep a copy of it.\n{}",
        fresh_line()?
    );
    put(path, &text, |draft| match fs::hard_link(draft, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(KeyError::Exists {
            path: path.to_owned(),
        }),
        linked => linked.map_err(|error| io_error(path, error)),
    })
}

/// Changes the lines that hold keys; comments stay on top.
pub(super) fn rewrite(
    path: &Path,
    change: impl FnOnce(&mut Vec<String>) -> Result<(), KeyError>,
) -> Result<KeyRing, KeyError> {
    KeyRing::open_existing(path)?;
    let text = read(path)?;
    let is_key = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with('#');
    let (keys, others): (Vec<&str>, Vec<&str>) = text.lines().partition(is_key);
    let mut keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
    change(&mut keys)?;
    let lines = others.into_iter().chain(keys.iter().map(String::as_str));
    let text: String = lines.flat_map(|line| [line, "\n"]).collect();
    // What can't be read back is not written.
    let ring = KeyRing::parse(&text).map_err(|line| KeyError::Malformed {
        path: path.to_owned(),
        line,
    })?;
    put(path, &text, |draft| {
        fs::rename(draft, path).map_err(|error| io_error(path, error))
    })?;
    Ok(ring)
}

/// A line with a fresh key.
pub(super) fn fresh_line() -> Result<String, KeyError> {
    let (mut id, mut master) = ([0; 4], [0; MASTER_BYTES]);
    rand::fill(&mut id).map_err(|_| KeyError::Crypto)?;
    rand::fill(&mut master).map_err(|_| KeyError::Crypto)?;
    Ok(format!("{} {}\n", hex::encode(id), hex::encode(master)))
}

/// Writes a draft beside `path`, has it put there, and waits until the directory is on disk.
fn put(
    path: &Path,
    text: &str,
    place: impl FnOnce(&Path) -> Result<(), KeyError>,
) -> Result<(), KeyError> {
    let mut suffix = [0; 8];
    rand::fill(&mut suffix).map_err(|_| KeyError::Crypto)?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".new-{}", hex::encode(suffix)));
    let draft = PathBuf::from(name);
    let placed = write_new(&draft, text).and_then(|()| place(&draft));
    // Gone already where it was renamed.
    let _ = fs::remove_file(&draft);
    placed?;
    fs::File::open(parent(path))
        .and_then(|directory| directory.sync_all())
        .map_err(|error| io_error(path, error))
}

fn write_new(draft: &Path, text: &str) -> Result<(), KeyError> {
    let io = |source| io_error(draft, source);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)
        .map_err(io)?;
    file.write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .map_err(io)
}

fn parent(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

fn io_error(path: &Path, source: io::Error) -> KeyError {
    KeyError::Io {
        path: path.to_owned(),
        source,
    }
}
