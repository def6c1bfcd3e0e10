//! Compression of the document on several threads into one gzip member or one zstd frame.
//!
//! The document is cut into chunks of exactly [`CHUNK_BYTES`], whatever the rows in it. For gzip each chunk is deflated by itself, with
//! the 32 KiB before it as history, and ended on a byte boundary, so that the pieces laid end to end are one deflate stream; its CRC-32 is
//! combined from theirs. Chunk *i* goes to worker *i mod n* and is collected from there in the same order: the same bytes come out whatever the number
//! of workers and whoever is faster, and no more than two chunks a worker are under way.
//!
//! A document of a single chunk is coded on the calling thread: small exports start no threads.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use flate2::Crc;
use zstd::stream::raw::{CParameter, Encoder, Operation};

use super::deflate::Deflater;
use super::{ArtifactError, Compression};

/// Size of a chunk of the document. Larger ones hardly compress better (the history crosses their edges), smaller ones cost more switching.
pub const CHUNK_BYTES: usize = 256 * 1024;

/// How far back deflate may refer.
pub const WINDOW_BYTES: usize = 32 * 1024;

/// The gzip header of every artifact: no name, no time, unknown system, so that equal documents make equal files.
pub const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff];

/// log2 of the zstd window: 2 MiB, which bounds what a reader must hold.
pub const ZSTD_WINDOW_LOG: u32 = 21;

/// The zstd header of every artifact: a content checksum, no size, no dictionary, our window.
pub const ZSTD_HEADER: [u8; 6] = [0x28, 0xb5, 0x2f, 0xfd, 4, (ZSTD_WINDOW_LOG as u8 - 10) << 3];

/// Measured on row-shaped JSON, one core: level 1 makes files as large as `pigz -6` does at 485 MB/s; level 3 is 1 % smaller at 259 MB/s.
const ZSTD_LEVEL: i32 = 1;

/// Chunks a worker may hold: the one it codes and the next.
const CHUNKS_PER_WORKER: usize = 2;

/// A piece of the document, with what stands before it.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    history: usize,
}

impl Chunk {
    /// The piece itself.
    #[must_use]
    pub fn data(&self) -> &[u8] {
        self.bytes.get(self.history..).unwrap_or_default()
    }

    /// The buffer that the document is appended to.
    pub fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes that may be appended before the chunk must be cut off.
    #[must_use]
    pub fn room(&self) -> usize {
        CHUNK_BYTES.saturating_sub(self.data().len())
    }

    /// Gives the chunk away and begins the next, whose history is the end of this one, in the memory of `spare`.
    #[must_use]
    pub fn cut(&mut self, mut spare: Vec<u8>) -> Self {
        let history = self.bytes.len().min(WINDOW_BYTES);
        spare.clear();
        spare.extend_from_slice(
            self.bytes
                .get(self.bytes.len() - history..)
                .unwrap_or_default(),
        );
        std::mem::replace(
            self,
            Self {
                bytes: spare,
                history,
            },
        )
    }
}

/// Where the coded bytes go, in order.
pub type Emit<'a> = &'a mut dyn FnMut(Vec<u8>) -> Result<(), ArtifactError>;

/// Compresses a document that comes chunk by chunk.
pub struct Compressor {
    compression: Compression,
    threads: NonZeroUsize,
    workers: Vec<Worker>,
    submitted: usize,
    collected: usize,
    check: Crc,
    begun: bool,
}

impl Compressor {
    /// A compressor that uses up to this many threads beside the caller's.
    #[must_use]
    pub fn new(compression: Compression, threads: NonZeroUsize) -> Self {
        // A zstd frame is coded in one go: its matches reach across everything before.
        let threads = if compression == Compression::Zstd {
            NonZeroUsize::MIN
        } else {
            threads
        };
        Self {
            compression,
            threads,
            workers: Vec::new(),
            submitted: 0,
            collected: 0,
            check: Crc::new(),
            begun: false,
        }
    }

    /// Takes the next chunk, which is not the last; gives back memory for another.
    ///
    /// # Errors
    /// What `emit` fails with, or [`ArtifactError::Compression`].
    pub fn push(&mut self, chunk: Chunk, emit: Emit<'_>) -> Result<Vec<u8>, ArtifactError> {
        self.begin(emit)?;
        if self.compression == Compression::None {
            emit(chunk.data().to_vec())?;
            return Ok(chunk.bytes);
        }
        if self.workers.is_empty() {
            for _ in 0..self.threads.get() {
                self.workers
                    .push(Worker::start(Codec::new(self.compression)?)?);
            }
        }
        let spare = if self.submitted - self.collected == self.workers.len() * CHUNKS_PER_WORKER {
            self.collect(emit)?
        } else {
            Vec::new()
        };
        self.submit(chunk, false)?;
        Ok(spare)
    }

    /// Takes the last chunk and ends the file.
    ///
    /// # Errors
    /// As for [`Self::push`].
    pub fn finish(mut self, last: Chunk, emit: Emit<'_>) -> Result<(), ArtifactError> {
        self.begin(emit)?;
        if self.compression == Compression::None {
            return emit(last.data().to_vec());
        }
        if self.workers.is_empty() {
            let coded = Codec::new(self.compression)?.code(last, true)?;
            self.check.combine(&coded.check);
            emit(coded.bytes)?;
        } else {
            if self.submitted - self.collected == self.workers.len() * CHUNKS_PER_WORKER {
                self.collect(emit)?;
            }
            self.submit(last, true)?;
            while self.collected < self.submitted {
                self.collect(emit)?;
            }
        }
        if self.compression == Compression::Gzip {
            let trailer = [
                self.check.sum().to_le_bytes(),
                self.check.amount().to_le_bytes(),
            ];
            emit(trailer.concat())?;
        }
        Ok(())
    }

    fn begin(&mut self, emit: Emit<'_>) -> Result<(), ArtifactError> {
        if !std::mem::replace(&mut self.begun, true) && self.compression == Compression::Gzip {
            emit(GZIP_HEADER.to_vec())?;
        }
        Ok(())
    }

    fn submit(&mut self, chunk: Chunk, last: bool) -> Result<(), ArtifactError> {
        let worker = self
            .workers
            .get(self.submitted % self.workers.len())
            .ok_or_else(worker_gone)?;
        worker
            .jobs
            .as_ref()
            .and_then(|jobs| jobs.send((chunk, last)).ok())
            .ok_or_else(worker_gone)?;
        self.submitted += 1;
        Ok(())
    }

    fn collect(&mut self, emit: Emit<'_>) -> Result<Vec<u8>, ArtifactError> {
        let worker = self
            .workers
            .get(self.collected % self.workers.len())
            .ok_or_else(worker_gone)?;
        let coded = worker.done.recv().map_err(|_| worker_gone())??;
        self.collected += 1;
        self.check.combine(&coded.check);
        if !coded.bytes.is_empty() {
            emit(coded.bytes)?;
        }
        Ok(coded.spare)
    }
}

fn worker_gone() -> ArtifactError {
    ArtifactError::Compression {
        reason: "a compression thread ended early".to_owned(),
    }
}

/// One compression thread. Ends, and is waited for, when dropped.
struct Worker {
    jobs: Option<SyncSender<(Chunk, bool)>>,
    done: Receiver<Result<Coded, ArtifactError>>,
    thread: Option<JoinHandle<()>>,
}

struct Coded {
    bytes: Vec<u8>,
    check: Crc,
    spare: Vec<u8>,
}

impl Worker {
    fn start(mut codec: Codec) -> Result<Self, ArtifactError> {
        let (jobs, todo) = sync_channel::<(Chunk, bool)>(CHUNKS_PER_WORKER);
        let (coded, done) = sync_channel(CHUNKS_PER_WORKER);
        let run = move || {
            for (chunk, last) in todo {
                if coded.send(codec.code(chunk, last)).is_err() {
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new()
            .name("compress".to_owned())
            .spawn(run)
            .map_err(|error| ArtifactError::Compression {
                reason: format!("no thread: {error}"),
            })?;
        Ok(Self {
            jobs: Some(jobs),
            done,
            thread: Some(thread),
        })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already surfaced as `worker_gone`.
            let _ = thread.join();
        }
    }
}

enum Codec {
    Deflate(Deflater),
    Zstd(Encoder<'static>),
}

impl Codec {
    fn new(compression: Compression) -> Result<Self, ArtifactError> {
        if compression != Compression::Zstd {
            return Ok(Self::Deflate(Deflater::default()));
        }
        let encoder = || -> std::io::Result<_> {
            let mut encoder = Encoder::new(ZSTD_LEVEL)?;
            encoder.set_parameter(CParameter::ChecksumFlag(true))?;
            encoder.set_parameter(CParameter::WindowLog(ZSTD_WINDOW_LOG))?;
            Ok(encoder)
        };
        encoder().map(Self::Zstd).map_err(failed)
    }

    fn code(&mut self, chunk: Chunk, last: bool) -> Result<Coded, ArtifactError> {
        let mut bytes = Vec::with_capacity(chunk.data().len() / 3 + 1024);
        let mut check = Crc::new();
        match self {
            Self::Deflate(deflater) => {
                check.update(chunk.data());
                deflater.chunk(&chunk.bytes, chunk.history, last, &mut bytes);
            }
            Self::Zstd(encoder) => {
                code_zstd(encoder, chunk.data(), last, &mut bytes).map_err(failed)?
            }
        }
        Ok(Coded {
            bytes,
            check,
            spare: chunk.bytes,
        })
    }
}

fn code_zstd(
    encoder: &mut Encoder<'_>,
    data: &[u8],
    last: bool,
    out: &mut Vec<u8>,
) -> std::io::Result<()> {
    let mut buffer = vec![0; 64 * 1024];
    let mut rest = data;
    while !rest.is_empty() {
        let status = encoder.run_on_buffers(rest, &mut buffer)?;
        out.extend_from_slice(buffer.get(..status.bytes_written).unwrap_or_default());
        rest = rest.get(status.bytes_read..).unwrap_or_default();
    }
    let mut more = usize::from(last);
    while more > 0 {
        let mut output = zstd::stream::raw::OutBuffer::around(&mut buffer[..]);
        more = encoder.finish(&mut output, true)?;
        out.extend_from_slice(output.as_slice());
    }
    Ok(())
}

fn failed(error: impl std::fmt::Display) -> ArtifactError {
    ArtifactError::Compression {
        reason: error.to_string(),
    }
}

#[cfg(test)]
#[path = "compress_tests.rs"]
mod tests;
