//! The way of the chunks: hashed, compressed, stored, each on threads of its own.
//!
//! ```text
//! writer ─► hash ─► compress (n) ─► store
//! ```
//!
//! Whoever writes the document does nothing else. Chunk *i* goes to compressor *i mod n* and is fetched from there in the same order, so the
//! file is the same whatever the number of threads and whoever is faster. Each channel holds one chunk: memory is bounded, and a slow storage holds the
//! writer up. When a stage fails the ones before it end one after the other, and the writer asks the last for the reason.
//!
//! A document of a single chunk goes all the way on the writer's thread: small exports start no threads.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use aws_lc_rs::digest::{Context, SHA256};
use flate2::Crc;

use super::blocks::{BlockHasher, Hashed};
use super::chunk::Chunk;
use super::compress::{Codec, Coded, GZIP_HEADER};
use super::writer::{ArtifactSpec, BlockSink};
use super::{ArtifactError, Compression};

/// Chunks that wait between two stages.
const QUEUE: usize = 1;

/// Chunks' memory on its way back to the writer.
const SPARES: usize = 4;

/// From chunks to a stored file.
pub(super) struct Pipeline {
    spec: ArtifactSpec,
    state: State,
}

enum State {
    /// Nothing has come yet.
    Idle(Storing),
    Running(Running),
    Failed(ArtifactError),
}

enum Step {
    Chunk(Job),
    /// Asks for the hash of all chunks before.
    Report(SyncSender<Context>),
}

struct Job {
    chunk: Chunk,
    last: bool,
}

type Worked = Result<Coded, ArtifactError>;

impl Pipeline {
    pub(super) fn new(spec: ArtifactSpec, sink: Box<dyn BlockSink>) -> Self {
        let storing = Storing {
            compression: spec.compression,
            sink,
            stored: BlockHasher::default(),
            check: Crc::new(),
        };
        Self {
            spec,
            state: State::Idle(storing),
        }
    }

    /// Takes the next chunk, which is not the last; gives back memory for another, if there is some.
    pub(super) fn push(&mut self, chunk: Chunk) -> Result<Vec<u8>, ArtifactError> {
        self.send(Step::Chunk(Job { chunk, last: false }))?;
        Ok(match &self.state {
            State::Running(running) => running.spares.try_recv().unwrap_or_default(),
            State::Idle(_) | State::Failed(_) => Vec::new(),
        })
    }

    /// The SHA-256 of all chunks so far, to go on with.
    pub(super) fn hash(&mut self) -> Result<Context, ArtifactError> {
        if matches!(self.state, State::Idle(_)) {
            return Ok(Context::new(&SHA256));
        }
        let (reply, hash) = sync_channel(1);
        self.send(Step::Report(reply))?;
        match hash.recv() {
            Ok(hash) => Ok(hash),
            Err(_) => Err(self.fail()),
        }
    }

    /// Takes the last chunk, ends the file and waits until it is durable.
    pub(super) fn finish(mut self, last: Chunk) -> Result<Hashed, ArtifactError> {
        if let State::Idle(_) = self.state {
            let State::Idle(mut storing) =
                std::mem::replace(&mut self.state, State::Failed(gone()))
            else {
                return Err(gone());
            };
            storing.begin()?;
            storing.add(Codec::new(self.spec.compression)?.code(last, true)?)?;
            return storing.finish();
        }
        self.send(Step::Chunk(Job {
            chunk: last,
            last: true,
        }))?;
        match std::mem::replace(&mut self.state, State::Failed(gone())) {
            State::Running(running) => running.end(),
            State::Idle(_) => Err(gone()),
            State::Failed(error) => Err(error),
        }
    }

    fn send(&mut self, step: Step) -> Result<(), ArtifactError> {
        if let State::Idle(_) = self.state {
            let State::Idle(storing) = std::mem::replace(&mut self.state, State::Failed(gone()))
            else {
                return Err(gone());
            };
            self.state = State::Running(Running::start(self.spec, storing)?);
        }
        let sent = match &self.state {
            State::Running(running) => running.send(step),
            State::Idle(_) | State::Failed(_) => false,
        };
        if sent { Ok(()) } else { Err(self.fail()) }
    }

    /// Why it came to a stop. The same ever after.
    fn fail(&mut self) -> ArtifactError {
        let error = match std::mem::replace(&mut self.state, State::Failed(gone())) {
            State::Running(running) => running.end().err().unwrap_or_else(gone),
            State::Failed(error) => error,
            State::Idle(_) => gone(),
        };
        self.state = State::Failed(error.clone());
        error
    }
}

fn gone() -> ArtifactError {
    ArtifactError::Compression {
        reason: "a thread ended early".to_owned(),
    }
}

/// The threads. They end, and are waited for, when this is dropped; a file that wasn't ended is then discarded.
struct Running {
    steps: Option<SyncSender<Step>>,
    spares: Receiver<Vec<u8>>,
    threads: Vec<JoinHandle<()>>,
    store: Option<JoinHandle<Result<Hashed, ArtifactError>>>,
}

impl Running {
    fn start(spec: ArtifactSpec, storing: Storing) -> Result<Self, ArtifactError> {
        let (steps, todo) = sync_channel(QUEUE);
        let (spare, spares) = sync_channel(SPARES);
        // What has been started is waited for even if the rest can't be.
        let mut running = Self {
            steps: Some(steps),
            spares,
            threads: Vec::new(),
            store: None,
        };
        let (mut workers, mut results) = (Vec::new(), Vec::new());
        for _ in 0..spec.compression.threads(spec.threads) {
            let (worker, jobs) = sync_channel(QUEUE);
            let (result, worked) = sync_channel(QUEUE);
            let codec = Codec::new(spec.compression)?;
            running
                .threads
                .push(thread("compress", move || compress(codec, jobs, &result))?);
            workers.push(worker);
            results.push(worked);
        }
        running
            .threads
            .push(thread("hash", move || hash(todo, &workers))?);
        running.store = Some(thread("store", move || storing.run(&results, &spare))?);
        Ok(running)
    }

    /// Whether there was somebody to take it.
    fn send(&self, step: Step) -> bool {
        self.steps
            .as_ref()
            .is_some_and(|steps| steps.send(step).is_ok())
    }

    /// Waits for all threads; what the last one came to.
    fn end(mut self) -> Result<Hashed, ArtifactError> {
        self.join().unwrap_or_else(|| Err(gone()))
    }

    fn join(&mut self) -> Option<Result<Hashed, ArtifactError>> {
        self.steps = None;
        for thread in self.threads.drain(..) {
            // One that panicked has taken its channel with it, so the next stage knows.
            let _ = thread.join();
        }
        self.store.take()?.join().ok()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.join();
    }
}

fn thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, ArtifactError> {
    std::thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .map_err(|error| ArtifactError::Compression {
            reason: format!("no thread: {error}"),
        })
}

/// Hashes the document and deals the chunks out.
fn hash(todo: Receiver<Step>, workers: &[SyncSender<Job>]) {
    let mut hash = Context::new(&SHA256);
    let mut turn = workers.iter().cycle();
    for step in todo {
        match step {
            Step::Chunk(job) => {
                hash.update(job.chunk.data());
                if turn.next().is_none_or(|worker| worker.send(job).is_err()) {
                    return;
                }
            }
            Step::Report(reply) => {
                // Whoever asked and went away has no use for it.
                let _ = reply.send(hash.clone());
            }
        }
    }
}

fn compress(mut codec: Codec, jobs: Receiver<Job>, results: &SyncSender<Worked>) {
    for job in jobs {
        let coded = codec.code(job.chunk, job.last);
        let failed = coded.is_err();
        if results.send(coded).is_err() || failed {
            return;
        }
    }
}

/// The end of the way: frames the coded chunks, hashes the stored file, hands it to the sink.
struct Storing {
    compression: Compression,
    sink: Box<dyn BlockSink>,
    stored: BlockHasher,
    check: Crc,
}

impl Storing {
    fn run(
        mut self,
        results: &[Receiver<Worked>],
        spare: &SyncSender<Vec<u8>>,
    ) -> Result<Hashed, ArtifactError> {
        self.begin()?;
        for worker in results.iter().cycle() {
            let mut coded = worker.recv().map_err(|_| gone())??;
            // Full means that there is enough of it.
            let _ = spare.try_send(std::mem::take(&mut coded.spare));
            let last = coded.last;
            self.add(coded)?;
            if last {
                return self.finish();
            }
        }
        Err(gone())
    }

    fn begin(&mut self) -> Result<(), ArtifactError> {
        match self.compression {
            Compression::Gzip => self.write(GZIP_HEADER.to_vec()),
            Compression::Zstd | Compression::None => Ok(()),
        }
    }

    fn add(&mut self, coded: Coded) -> Result<(), ArtifactError> {
        self.check.combine(&coded.check);
        self.write(coded.bytes)
    }

    fn finish(mut self) -> Result<Hashed, ArtifactError> {
        if self.compression == Compression::Gzip {
            let trailer = [
                self.check.sum().to_le_bytes(),
                self.check.amount().to_le_bytes(),
            ];
            self.write(trailer.concat())?;
        }
        let hashed = self.stored.finish();
        let sidecar = (hashed.sidecar.blocks() > 1).then(|| hashed.sidecar.to_bytes());
        self.sink.commit(sidecar)?;
        Ok(hashed)
    }

    fn write(&mut self, bytes: Vec<u8>) -> Result<(), ArtifactError> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.stored.update(&bytes)?;
        Ok(self.sink.write(bytes.into())?)
    }
}
