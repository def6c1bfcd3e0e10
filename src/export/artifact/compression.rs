//! What may be wrapped around the JSON document.

use serde::{Deserialize, Serialize};

/// The compression of a stored artifact.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Compression {
    /// RFC 1952, exactly one member: every reader and browser gets all of it.
    #[default]
    Gzip,
    /// RFC 8878, exactly one frame with a content checksum.
    Zstd,
    /// The document as it is.
    None,
}

impl Compression {
    /// The name of the stored file's kind, as object keys and file names end with: `json.gz`, `json.zst`, `json`.
    #[must_use]
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Gzip => "json.gz",
            Self::Zstd => "json.zst",
            Self::None => "json",
        }
    }

    /// The HTTP content coding that undoes it; `None` when there is nothing to undo.
    #[must_use]
    pub const fn content_coding(self) -> Option<&'static str> {
        match self {
            Self::Gzip => Some("gzip"),
            Self::Zstd => Some("zstd"),
            Self::None => None,
        }
    }

    /// The media type of the stored file as such.
    #[must_use]
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Gzip => "application/gzip",
            Self::Zstd => "application/zstd",
            Self::None => "application/json",
        }
    }
}
