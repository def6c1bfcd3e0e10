//! `sqlite:` — the store for one machine: one file, no server.
//!
//! One thread writes, and commits all that has gathered while it was committing in one transaction (group commit,
//! `writer`); a few connections read, a page at a time (`readers`, `pages`). WAL with `synchronous=FULL` makes an
//! acknowledged append durable; triggers in the file itself keep the log append-only, whatever tool opens it.
//!
//! The process that writes holds a lock beside the file for as long as it lives. Programs that only look open it
//! [read-only](SqliteStore::open_read_only), and may do so meanwhile.

mod append;
mod checkpoint;
mod error;
mod heads;
mod lock;
mod pages;
mod readers;
mod rows;
mod schema;
mod seal;
#[cfg(test)]
mod tests;
mod thread;
mod writer;

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use tokio::sync::watch;

use self::append::last_position;
use self::error::undone;
use self::heads::{Heads, Lookup};
use self::lock::Lock;
use self::readers::{Reader, Readers};
use self::writer::Writer;
use super::{
    Appended, Delivery, Direction, EventStore, EventStream, Expected, Filter, ReadFrom, StoreError,
    StoreHealth, validate,
};
use super::{import, reading, subscription};
use crate::envelope::{NewEvent, Position, Recorded};
use crate::stream::StreamName;

/// An event store in one SQLite file.
///
/// Dropping it waits until what was queued is written, then lets go of the file; subscriptions then end with an error.
#[derive(Debug)]
pub struct SqliteStore {
    readers: Arc<Readers>,
    /// What belongs to the process that writes; `None` when opened read-only.
    writing: Option<Writing>,
}

#[derive(Debug)]
struct Writing {
    writer: Writer,
    heads: Arc<Heads>,
    /// The last position committed.
    last: watch::Receiver<i64>,
}

impl SqliteStore {
    /// Opens the store in the file at `path`, made with its directory when absent, and locks it for this process. Blocks.
    ///
    /// # Errors
    /// `Refused` when another process has it, when the file is something else or was made by a later program, or when
    /// commits there would not be durable; `Corrupt` when it is damaged; `Unavailable` when it can't be reached or made.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = made(path.as_ref())?;
        let lock = Lock::acquire(&path)?;
        let conn = schema::open_writer(&path)?;
        // A file just made is only there for good when its directory's entry is.
        File::open(directory(&path))
            .and_then(|directory| directory.sync_all())
            .map_err(|error| unusable(&path, &error))?;
        Self::start(&path, conn, lock)
    }

    fn start(path: &Path, conn: Connection, lock: Lock) -> Result<Self, StoreError> {
        let (last_sender, last) = watch::channel(last_position(&conn).map_err(undone)?);
        let heads = Arc::new(Heads::new());
        let readers = Readers::new(path.to_owned(), Reader::open(path)?);
        let writer = Writer::start(path, conn, lock, heads.clone(), last_sender)?;
        Ok(Self {
            readers,
            writing: Some(Writing {
                writer,
                heads,
                last,
            }),
        })
    }

    /// Opens the store in the file at `path` to look at it only, whether or not another process writes to it. Blocks.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for the lock.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let path = path.as_ref();
        let reader = Reader::open(path)?;
        schema::verify_reader(&reader.conn, path)?;
        Ok(Self {
            readers: Readers::new(path.to_owned(), reader),
            writing: None,
        })
    }

    /// How many transactions were committed since it was opened; with group commit fewer than the appends made.
    #[must_use]
    pub fn commits(&self) -> u64 {
        self.writing
            .as_ref()
            .map_or(0, |writing| writing.writer.commits())
    }

    fn writing(&self) -> Result<&Writing, StoreError> {
        self.writing
            .as_ref()
            .ok_or_else(|| StoreError::refused("it is opened for reading only"))
    }
}

/// Makes the file at `path`, empty and with its directory, unless it is there; nobody else may read it, for it knows who
/// people are. Gives its one real name, for symbolic links may lead to it by others: the lock stands beside that one, and so
/// does what SQLite keeps beside a database. Of the names of hard links none is that one, so a file with several is refused.
fn made(path: &Path) -> Result<PathBuf, StoreError> {
    let cannot = |error| unusable(path, &error);
    if !path.try_exists().map_err(cannot)? {
        fs::create_dir_all(directory(path)).map_err(cannot)?;
        let mut options = OpenOptions::new();
        let made = options.append(true).create(true).mode(0o600).open(path);
        made.map_err(cannot)?;
    }
    let metadata = path.metadata().map_err(cannot)?;
    if metadata.is_file() && metadata.nlink() > 1 {
        return Err(StoreError::refused(format!(
            "{} has several names (hard links), by which others could write to it unnoticed: copy it, and remove the other names",
            path.display()
        )));
    }
    path.canonicalize().map_err(cannot)
}

fn unusable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::unavailable(format!("{} can't be used: {error}", path.display()))
}

/// Where the file at `path` is.
fn directory(path: &Path) -> &Path {
    path.parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

#[async_trait]
impl EventStore for SqliteStore {
    async fn append(
        &self,
        stream: &StreamName,
        expected: Expected,
        events: Vec<NewEvent>,
    ) -> Result<Appended, StoreError> {
        let size = validate::batch(&events)?;
        let queue = self.writing()?.writer.queue()?;
        queue.append(stream.clone(), expected, events, size).await
    }

    fn read(
        &self,
        stream: &StreamName,
        from: ReadFrom,
        direction: Direction,
        max: usize,
    ) -> EventStream<Recorded> {
        reading::of_stream(self.readers.clone(), stream.clone(), from, direction, max)
    }

    async fn head(&self, stream: &StreamName) -> Result<Option<u64>, StoreError> {
        let heads = self.writing.as_ref().map(|writing| &writing.heads);
        let lookup = heads.map_or(Lookup::Ask(None), |heads| heads.look_up(stream));
        let ticket = match lookup {
            Lookup::Known(head) => return Ok(head.revision()),
            Lookup::Ask(ticket) => ticket,
        };
        let name = stream.clone();
        let head = self
            .readers
            .run(move |reader| append::head(&reader.conn, &name).map_err(undone))
            .await?;
        if let (Some(heads), Some(ticket)) = (heads, ticket) {
            heads.learn(stream, ticket, head);
        }
        Ok(head.revision())
    }

    fn read_all(
        &self,
        after: Option<Position>,
        filter: Filter,
        max: usize,
    ) -> EventStream<Recorded> {
        reading::of_all(self.readers.clone(), after, filter, max)
    }

    fn subscribe(&self, after: Option<Position>, filter: Filter) -> EventStream<Delivery> {
        let hint = self.writing.as_ref().map(|writing| writing.last.clone());
        subscription::subscribe(self.readers.clone(), hint, after, filter)
    }

    async fn erase(&self, stream: &StreamName) -> Result<(), StoreError> {
        self.writing()?.writer.queue()?.erase(stream.clone()).await
    }

    async fn import(&self, events: Vec<Recorded>) -> Result<(), StoreError> {
        let runs = import::runs(events)?;
        self.writing()?.writer.queue()?.import(runs).await
    }

    async fn seal(&self, why: &str) -> Result<(), StoreError> {
        self.writing()?.writer.queue()?.seal(why).await
    }

    async fn reseal(&self, was: &str, why: &str) -> Result<(), StoreError> {
        self.writing()?.writer.queue()?.reseal(was, why).await
    }

    async fn seals(&self) -> Result<Vec<String>, StoreError> {
        let seals = |reader: &mut Reader| seal::all(&reader.conn).map_err(undone);
        self.readers.run(seals).await
    }

    async fn erased(&self) -> Result<Vec<StreamName>, StoreError> {
        self.readers.run(pages::erased).await
    }

    async fn last_position(&self) -> Result<Option<Position>, StoreError> {
        let last = match &self.writing {
            Some(writing) => *writing.last.borrow(),
            None => {
                self.readers
                    .run(|reader| last_position(&reader.conn).map_err(undone))
                    .await?
            }
        };
        Ok((last > 0).then(|| Position::single(last.cast_unsigned())))
    }

    async fn probe(&self) -> Result<StoreHealth, StoreError> {
        let clock_skew_ms = self.writing()?.writer.queue()?.probe().await?;
        Ok(StoreHealth { clock_skew_ms })
    }
}
