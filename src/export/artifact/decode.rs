//! Undoes a compression, strictly: what our coder writes and nothing else.
//!
//! Our header byte for byte, one member or frame, nothing after it.

use flate2::{Crc, Decompress, FlushDecompress, Status};
use zstd::stream::raw::{DParameter, Decoder as Zstd, Operation};

use super::Compression;
use super::compress::{GZIP_HEADER, ZSTD_HEADER, ZSTD_WINDOW_LOG};

/// Why stored bytes are not what our coder writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodingError {
    /// The header of the member or frame is not the one this service writes.
    #[error("the header of the compressed data is not the one this service writes")]
    Header,
    /// The compressed data is malformed.
    #[error("the compressed data is malformed")]
    Data,
    /// The trailing CRC-32 or length is not that of the data.
    #[error("the gzip trailer doesn't match the data")]
    Trailer,
    /// Something follows the one member or frame.
    #[error("something follows the end of the compressed data")]
    Trailing,
}

/// A decoder somewhere in a stored file.
pub(crate) enum Decoder {
    Gzip(Box<Gzip>),
    Zstd(Box<Frame>),
    None,
}

/// A gzip member being decoded: ten bytes of header, the deflate stream, eight bytes of trailer.
pub(crate) struct Gzip {
    header: usize,
    inflate: Decompress,
    inflated: bool,
    check: Crc,
    trailer: Vec<u8>,
}

/// A zstd frame being decoded.
pub(crate) struct Frame {
    header: usize,
    decoder: Zstd<'static>,
    done: bool,
}

impl Decoder {
    /// A decoder at the start of a file.
    pub(crate) fn new(compression: Compression) -> std::io::Result<Self> {
        Ok(match compression {
            Compression::Gzip => {
                let gzip = Gzip {
                    header: 0,
                    inflate: Decompress::new(false),
                    inflated: false,
                    check: Crc::new(),
                    trailer: Vec::new(),
                };
                Self::Gzip(Box::new(gzip))
            }
            Compression::Zstd => {
                let mut decoder = Zstd::new()?;
                decoder.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG))?;
                Self::Zstd(Box::new(Frame {
                    header: 0,
                    decoder,
                    done: false,
                }))
            }
            Compression::None => Self::None,
        })
    }

    /// Decodes from `input` into the spare capacity of `out`, of which there must be some; says how much of `input` was used.
    /// More may be waiting inside while `out` comes back full.
    pub(crate) fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, CodingError> {
        match self {
            Self::Gzip(gzip) => gzip.decode(input, out),
            Self::Zstd(frame) => frame.decode(input, out),
            Self::None => {
                let taken = input.len().min(out.capacity() - out.len());
                out.extend_from_slice(input.get(..taken).unwrap_or_default());
                Ok(taken)
            }
        }
    }

    /// How much of the file has been read into it, where it knows that even when it has stumbled.
    pub(crate) fn position(&self) -> Option<u64> {
        match self {
            Self::Gzip(gzip) => {
                let around = gzip.header + gzip.trailer.len();
                Some(gzip.inflate.total_in() + around as u64)
            }
            Self::Zstd(_) | Self::None => None,
        }
    }

    /// Whether the file may end here.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Gzip(gzip) => gzip.trailer.len() == 8,
            Self::Zstd(frame) => frame.done,
            Self::None => true,
        }
    }
}

/// Checks what of `input` still belongs to a header of which `seen` bytes have been seen.
fn header(expected: &[u8], seen: &mut usize, input: &[u8]) -> Result<usize, CodingError> {
    let expected = expected.get(*seen..).unwrap_or_default();
    let length = expected.len().min(input.len());
    *seen += length;
    if input.get(..length) == expected.get(..length) {
        Ok(length)
    } else {
        Err(CodingError::Header)
    }
}

impl Frame {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, CodingError> {
        if self.done {
            return if input.is_empty() {
                Ok(0)
            } else {
                Err(CodingError::Trailing)
            };
        }
        header(&ZSTD_HEADER, &mut self.header, input)?;
        let before = out.len();
        out.resize(out.capacity(), 0);
        let status = self
            .decoder
            .run_on_buffers(input, out.get_mut(before..).unwrap_or_default())
            .map_err(|_| CodingError::Data)?;
        out.truncate(before + status.bytes_written);
        self.done = status.remaining == 0;
        Ok(status.bytes_read)
    }
}

impl Gzip {
    fn decode(&mut self, input: &[u8], out: &mut Vec<u8>) -> Result<usize, CodingError> {
        let mut used = header(&GZIP_HEADER, &mut self.header, input)?;
        if self.header == GZIP_HEADER.len() && !self.inflated {
            let (before_in, before_out) = (self.inflate.total_in(), out.len());
            let rest = input.get(used..).unwrap_or_default();
            let status = self
                .inflate
                .decompress_vec(rest, out, FlushDecompress::None)
                .map_err(|_| CodingError::Data)?;
            used += usize::try_from(self.inflate.total_in() - before_in).unwrap_or(rest.len());
            self.check.update(out.get(before_out..).unwrap_or_default());
            self.inflated = status == Status::StreamEnd;
        }
        if self.inflated {
            used += self.trailer(input.get(used..).unwrap_or_default())?;
        }
        Ok(used)
    }

    fn trailer(&mut self, rest: &[u8]) -> Result<usize, CodingError> {
        let expected = [
            self.check.sum().to_le_bytes(),
            self.check.amount().to_le_bytes(),
        ]
        .concat();
        for &byte in rest {
            match expected.get(self.trailer.len()) {
                Some(&expected) if expected == byte => self.trailer.push(byte),
                Some(_) => return Err(CodingError::Trailer),
                None => return Err(CodingError::Trailing),
            }
        }
        Ok(rest.len())
    }
}
