//! The node's id: made once, kept beside the event store, so that a restarted process knows its own earlier work.

use std::fs::{self, OpenOptions};
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
    /// The file holds something else.
    #[error(
        "{file} holds no node id; restore it, or delete it once no other process of this node runs"
    )]
    Malformed {
        /// The file.
        file: PathBuf,
    },
}

/// The id kept in `directory`, made now if there is none.
///
/// # Errors
/// When the file can't be read or written, or holds something else.
pub(super) fn node_id(directory: &Path) -> Result<NodeId, NodeError> {
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
    fs::File::open(directory)?.sync_all()
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
