//! The node's id: made once, kept in the node's data directory, so that a restarted process knows its own earlier work.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use carnet_events::ids::NodeId;
use uuid::Uuid;

/// The node's id can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The file can't be read or written.
    #[error(
        "the node's id can't be kept in {file}: {source}; make the directory writable for this user"
    )]
    Io {
        /// The file.
        file: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process is this node.
    #[error(
        "another process serves with the data directory {directory}; stop that one, or give this node its own `projections.path`"
    )]
    InUse {
        /// The directory.
        directory: PathBuf,
    },
    /// The file holds something else.
    #[error(
        "{file} holds no node id; restore it, or delete it once no other process of this node runs"
    )]
    Malformed {
        /// The file.
        file: PathBuf,
    },
}

/// This node, as long as it is kept.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) id: NodeId,
    /// The operating system lets go of it when the process ends, however it does.
    _lock: Option<File>,
}

impl Node {
    /// The node of `directory`. With `lock` no other process can be it meanwhile; a store that is a file has a lock of its own.
    ///
    /// # Errors
    /// When another process is this node, or its id can't be kept.
    pub(super) fn open(directory: &Path, lock: bool) -> Result<Self, NodeError> {
        let lock = lock.then(|| acquire(directory)).transpose()?;
        Ok(Self {
            id: node_id(directory)?,
            _lock: lock,
        })
    }
}

fn acquire(directory: &Path) -> Result<File, NodeError> {
    let path = directory.join("node.lock");
    let io = |source| NodeError::Io {
        file: path.clone(),
        source,
    };
    fs::create_dir_all(directory).map_err(io)?;
    let mut options = OpenOptions::new();
    let file = options.write(true).create(true).truncate(false).open(&path);
    let file = file.map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NodeError::InUse {
            directory: directory.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(io(source)),
    }
}

/// The id kept in `directory`, made now if there is none.
///
/// # Errors
/// When the file can't be read or written, or holds something else.
fn node_id(directory: &Path) -> Result<NodeId, NodeError> {
    let file = directory.join("node");
    let io = |source| NodeError::Io {
        file: file.clone(),
        source,
    };
    match fs::read_to_string(&file) {
        Ok(text) => text
            .trim()
            .parse()
            .map_err(|_| NodeError::Malformed { file: file.clone() }),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let id = NodeId::from_uuid(Uuid::new_v4());
            write_durably(directory, &file, &id.to_string()).map_err(io)?;
            Ok(id)
        }
        Err(error) => Err(io(error)),
    }
}

/// Written beside and renamed, so that a crash leaves the whole id or none.
fn write_durably(directory: &Path, file: &Path, text: &str) -> std::io::Result<()> {
    fs::create_dir_all(directory)?;
    let draft = directory.join("node.new");
    let mut out = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .open(&draft)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&draft, file)?;
    File::open(directory)?.sync_all()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_node_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let id = node_id(&folder.path().join("data")).unwrap();
        assert_eq!(node_id(&folder.path().join("data")).unwrap(), id);
        assert_ne!(node_id(&folder.path().join("other")).unwrap(), id);
    }

    #[test]
    fn one_process_at_a_time_is_a_node() {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::open(folder.path(), true).unwrap();
        assert!(matches!(
            Node::open(folder.path(), true),
            Err(NodeError::InUse { .. })
        ));
        let id = node.id;
        drop(node);
        assert_eq!(Node::open(folder.path(), true).unwrap().id, id);
    }

    #[test]
    fn something_else_in_the_file_is_told_and_left() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("node"), "nonsense").unwrap();
        assert!(matches!(
            node_id(folder.path()),
            Err(NodeError::Malformed { .. })
        ));
        assert_eq!(
            fs::read_to_string(folder.path().join("node")).unwrap(),
            "nonsense"
        );
    }
}
