//! The document in pieces of equal size.

/// Size of a chunk. Larger ones hardly compress better (the history crosses their edges), smaller ones cost more switching.
pub(super) const CHUNK_BYTES: usize = 256 * 1024;

/// How far back deflate may refer.
pub(super) const WINDOW_BYTES: usize = 32 * 1024;

/// A piece of the document, with what stands before it.
#[derive(Debug, Default)]
pub(super) struct Chunk {
    bytes: Vec<u8>,
    history: usize,
}

impl Chunk {
    /// The piece itself.
    pub(super) fn data(&self) -> &[u8] {
        self.bytes.get(self.history..).unwrap_or_default()
    }

    /// The piece with its history, and how long that is.
    pub(super) fn with_history(&self) -> (&[u8], usize) {
        (&self.bytes, self.history)
    }

    /// The memory, once the piece has been dealt with.
    pub(super) fn into_memory(self) -> Vec<u8> {
        self.bytes
    }

    /// Appends the next bytes of the document.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Bytes that may be appended before the chunk must be cut off.
    pub(super) fn room(&self) -> usize {
        CHUNK_BYTES.saturating_sub(self.data().len())
    }

    /// Gives the chunk away and begins the next, whose history is the end of this one, up to `window`, in the memory of `spare`.
    pub(super) fn cut(&mut self, mut spare: Vec<u8>, window: usize) -> Self {
        let history = self.bytes.len().min(window);
        spare.clear();
        spare.reserve(CHUNK_BYTES + window);
        spare.extend_from_slice(
            self.bytes
                .get(self.bytes.len() - history..)
                .unwrap_or_default(),
        );
        let next = Self {
            bytes: spare,
            history,
        };
        std::mem::replace(self, next)
    }
}
