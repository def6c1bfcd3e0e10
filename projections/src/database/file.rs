//! A projection's file as its one writer has it, and what its errors mean.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::folder::{BESIDE, Folder, remove, with_suffix};
use super::meta::{self, Checkpoint};
use super::{stable_plans, tables};
use crate::projection::Blueprint;
use crate::{Error, ProjectionName};

/// A projection's file, open for its one writer.
pub(crate) struct File {
    pub(crate) connection: Connection,
    pub(crate) path: PathBuf,
    pub(crate) generation: u32,
}

impl File {
    /// Opens a whole file.
    ///
    /// # Errors
    /// When it is damaged, or can't be used.
    pub(crate) fn open(path: PathBuf, generation: u32) -> rusqlite::Result<Self> {
        let connection = connect(&path, OpenFlags::empty())?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // What a power cut takes from this file is folded again from the event store, whose every commit is durable.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4096)?;
        connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
        Pages::OfHistory.keep(&connection)?;
        Ok(Self {
            connection,
            path,
            generation,
        })
    }

    /// How far the projection in it is.
    ///
    /// # Errors
    /// When that can't be read: then it is not a file that was ever whole.
    pub(crate) fn checkpoint(&self) -> rusqlite::Result<Option<Checkpoint>> {
        meta::get(&self.connection)
    }

    /// Which of its pages the writer keeps in memory from now on.
    pub(crate) fn keep_in_memory(&self, pages: Pages) -> rusqlite::Result<()> {
        pages.keep(&self.connection)
    }
}

/// A new file, for being filled from the log's first event on. Nobody reads it before it is whole, and what breaks off is
/// begun anew: so it needs no journal and no order of writes, and each of its pages is written about once.
pub(crate) struct Filling {
    pub(crate) connection: Connection,
    writeback: Writeback,
    path: PathBuf,
    whole: PathBuf,
    generation: u32,
}

impl Filling {
    /// Makes the file with empty tables, and opens the one transaction it is filled in.
    ///
    /// # Errors
    /// When the directory can't be used.
    pub(crate) fn create(
        folder: &Folder,
        blueprint: &Blueprint,
        generation: u32,
    ) -> Result<Self, Error> {
        let path = folder.filling(blueprint.name, generation);
        remove(&path)?;
        make(&path);
        let connection = connect(&path, OpenFlags::SQLITE_OPEN_CREATE)?;
        // Takes effect only before the first table.
        connection.pragma_update(None, "page_size", 8192)?;
        connection.pragma_update(None, "journal_mode", "OFF")?;
        connection.pragma_update(None, "synchronous", "OFF")?;
        connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
        // Indices are sorted in as much memory as the cache may have, and in files beyond that.
        connection.pragma_update(None, "temp_store", "FILE")?;
        Pages::OfHistory.keep(&connection)?;
        connection.execute_batch("BEGIN EXCLUSIVE")?;
        meta::create(&connection, "main")?;
        tables::create(&connection, "main", blueprint)?;
        Ok(Self {
            connection,
            writeback: Writeback::start(&path)?,
            path,
            whole: folder.file(blueprint.name, generation),
            generation,
        })
    }

    /// Has what is written so far brought to disk meanwhile.
    pub(crate) fn write_back(&self) {
        self.writeback.ask();
    }

    /// Makes the indices, writes down how far it is, and makes it whole: on disk, under its name.
    ///
    /// # Errors
    /// When the file can't be written.
    pub(crate) fn finish(self, blueprint: &Blueprint, at: &Checkpoint) -> Result<File, Error> {
        for index in blueprint.indices {
            tables::index(&self.connection, "main", index)?;
            self.write_back();
        }
        meta::put(&self.connection, at)?;
        self.connection.execute_batch("COMMIT")?;
        self.connection.close().map_err(|(_, error)| error)?;
        drop(self.writeback);
        fs::File::open(&self.path)?.sync_all()?;
        // Of a file of the same name that a power cut has left.
        for suffix in BESIDE {
            remove(&with_suffix(&self.whole, suffix))?;
        }
        fs::rename(&self.path, &self.whole)?;
        if let Some(directory) = self.whole.parent().filter(|it| !it.as_os_str().is_empty()) {
            fs::File::open(directory)?.sync_all()?;
        }
        Ok(File::open(self.whole, self.generation)?)
    }

    /// Throws it away.
    pub(crate) fn discard(self) {
        drop(self.connection);
        if let Err(error) = remove(&self.path) {
            tracing::warn!(%error, "an unfinished file of a projection can't be removed");
        }
    }
}

/// A thread that brings a file to disk while it is being written, so that there is little left to wait for in the end.
struct Writeback {
    requests: Option<mpsc::SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Writeback {
    fn start(path: &Path) -> std::io::Result<Self> {
        let file = fs::File::open(path)?;
        let (requests, asked) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("fill-writeback".to_owned())
            .spawn(move || {
                // What goes wrong here goes wrong again in the end, where it counts.
                while asked.recv().is_ok() && file.sync_data().is_ok() {}
            })?;
        Ok(Self {
            requests: Some(requests),
            thread: Some(thread),
        })
    }

    /// Unless it is at it.
    fn ask(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Writeback {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Puts a damaged file where nobody takes it for one that can be used, in the place of one damaged before.
///
/// # Errors
/// When the directory can't be used.
pub(crate) fn set_aside(
    folder: &Folder,
    name: ProjectionName,
    generation: u32,
) -> Result<(), Error> {
    folder.forget_damaged(name)?;
    let path = folder.file(name, generation);
    for suffix in BESIDE {
        remove(&with_suffix(&path, suffix))?;
    }
    match fs::rename(path, folder.damaged(name, generation)) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
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
            Self::OfHistory => 32,
            Self::OfThePresent => 4,
        };
        connection.pragma_update(None, "cache_size", -mebibytes * 1024)
    }
}

/// Makes the file at `path`, for nobody else to read: it tells of what tenants did. Where that fails, opening it says why.
fn make(path: &Path) {
    let mut options = OpenOptions::new();
    let made = options.append(true).create(true).mode(0o600).open(path);
    drop(made);
}

fn connect(path: &Path, more: OpenFlags) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | more;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    stable_plans(&connection)?;
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
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
