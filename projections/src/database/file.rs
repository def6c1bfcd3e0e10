//! Opening the file, and telling what its errors mean.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::{meta, stable_plans};
use crate::Error;

/// The file, open for the one writer there is.
pub(crate) struct File {
    pub(crate) connection: Connection,
    path: PathBuf,
    /// Locked for as long as this value lives: two runners would each overwrite what the other counts.
    _lock: fs::File,
}

impl File {
    /// Opens the file, or makes it. A damaged one is set aside as `<path>.damaged` and made anew.
    ///
    /// # Errors
    /// When it is a database of something else, is in use, or its directory can't be used.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let lock = fs::File::create(beside(path, "-lock"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => {
                return Err(Error::InUse {
                    path: path.to_owned(),
                });
            }
            Err(fs::TryLockError::Error(error)) => return Err(error.into()),
        }
        let connection = connect_or_replace(path)?;
        Ok(Self {
            connection,
            path: path.to_owned(),
            _lock: lock,
        })
    }

    /// Which of its pages the writer keeps in memory from now on.
    pub(crate) fn keep_in_memory(&self, pages: Pages) -> rusqlite::Result<()> {
        pages.keep(&self.connection)
    }

    /// Sets the file aside and makes a new one.
    ///
    /// # Errors
    /// When its directory can't be used.
    pub(crate) fn replace(&mut self) -> Result<(), Error> {
        set_aside(&self.path)?;
        self.connection = connect(&self.path)?;
        Ok(())
    }
}

/// What the writer is at, and so which pages it needs again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pages {
    /// The ends of all tenants' logs and the middles of indices, until a large transaction ends: without them pages are
    /// written and read back several times.
    OfHistory,
    /// A few.
    OfThePresent,
}

impl Pages {
    fn keep(self, connection: &Connection) -> rusqlite::Result<()> {
        let mebibytes = match self {
            Self::OfHistory => 64,
            Self::OfThePresent => 16,
        };
        connection.pragma_update(None, "cache_size", -mebibytes * 1024)
    }
}

fn connect_or_replace(path: &Path) -> Result<Connection, Error> {
    match connect(path) {
        Err(Error::Unavailable { source }) if Trouble::of(&source) == Trouble::Damaged => {
            tracing::warn!(path = %path.display(), error = %source, "the projections' file is damaged and is made anew");
            set_aside(path)?;
            connect(path)
        }
        other => other,
    }
}

fn connect(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    stable_plans(&connection)?;
    if !meta::is_ours(&connection)? {
        if !meta::is_empty(&connection)? {
            return Err(Error::NotOurs {
                path: path.to_owned(),
            });
        }
        // Takes effect only before the first table.
        connection.pragma_update(None, "page_size", 8192)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // What a power cut takes from this file is folded again from the event store, whose every commit is durable.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    // For sorting, when indices are made.
    connection.pragma_update(None, "threads", 2)?;
    Pages::OfHistory.keep(&connection)?;
    connection.set_prepared_statement_cache_capacity(64);
    meta::create(&connection)?;
    Ok(connection)
}

fn set_aside(path: &Path) -> Result<(), Error> {
    for suffix in ["-wal", "-shm"] {
        remove(&beside(path, suffix))?;
    }
    match fs::rename(path, beside(path, ".damaged")) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// What an SQLite error means to the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// It may pass: no space, no memory, no access, busy.
    Passing,
    /// The file is not a database any more.
    Damaged,
    /// The statement can't be carried out, now or later.
    Lasting,
}

impl Trouble {
    pub(crate) fn of(error: &rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged,
            Some(
                ErrorCode::DiskFull
                | ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::SystemIoFailure
                | ErrorCode::OutOfMemory
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied
                | ErrorCode::FileLockingProtocolFailed,
            ) => Self::Passing,
            _ => Self::Lasting,
        }
    }
}
