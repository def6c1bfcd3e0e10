//! A bit writer, least significant bit first, as RFC 1951 packs its codes.

/// Bytes that a flush stores at once, used or not.
const STORE: usize = 8;

/// Appends bits to a byte vector.
pub(super) struct Bits<'a> {
    /// Longer than what has been written: room to store into.
    out: &'a mut Vec<u8>,
    /// Bytes written.
    at: usize,
    pending: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    /// A writer that appends to `out`, on a byte boundary.
    pub(super) fn append(out: &'a mut Vec<u8>) -> Self {
        let at = out.len();
        let mut bits = Self {
            out,
            at,
            pending: 0,
            count: 0,
        };
        bits.reserve(64);
        bits
    }

    /// Makes room for that many more bytes. Every writer reserves before it puts and flushes.
    pub(super) fn reserve(&mut self, bytes: usize) {
        let needed = self.at + bytes + 2 * STORE;
        if self.out.len() < needed {
            self.out.resize(needed.max(self.out.len() * 2), 0);
        }
    }

    /// Adds the low `count` bits of `bits`, whose others are zero. At most 56 may be pending: see [`Self::flush`].
    #[inline]
    pub(super) fn put(&mut self, bits: u64, count: u32) {
        debug_assert!(self.count + count <= 64);
        self.pending |= bits << self.count;
        self.count += count;
    }

    /// Writes whole bytes out; fewer than 8 bits stay pending.
    #[inline]
    pub(super) fn flush(&mut self) {
        self.out[self.at..self.at + STORE].copy_from_slice(&self.pending.to_le_bytes());
        self.at += (self.count / 8) as usize;
        self.pending >>= self.count & !7;
        self.count &= 7;
    }

    /// Pads with zeros to a byte boundary.
    pub(super) fn align(&mut self) {
        self.count = self.count.next_multiple_of(8);
        self.flush();
    }

    /// Appends bytes; only on a byte boundary.
    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.count, 0);
        self.reserve(bytes.len());
        self.out[self.at..self.at + bytes.len()].copy_from_slice(bytes);
        self.at += bytes.len();
    }

    /// Ends on a byte boundary.
    pub(super) fn finish(mut self) {
        self.align();
        self.out.truncate(self.at);
    }
}
