//! An S3 server for tests: `s3s-fs`, which keeps buckets in a directory and checks every signature (SigV4), on a port of this machine.
//!
//! What it can't be brought to do by itself is done by stand-ins, each named so: [`Fault`]s put an answer, silence or an end in place of its own, and
//! [`listing`] adds the one call it lacks.

mod listing;
mod tls;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use carnet::export::artifact::{Location, S3Access, S3Credentials};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use s3s::access::{S3Access as Access, S3AccessContext};
use s3s::auth::SimpleAuth;
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use listing::Listing;
use tls::Tls;

/// What stands in for the server's own answer.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// This status, with this code in XML.
    Answer(u16, &'static str),
    /// Nothing, on a connection that stays open.
    Silence,
    /// The end of the connection.
    End,
    /// The server's own answer, so many milliseconds late.
    #[allow(dead_code, reason = "a benchmark's")]
    Late(u64),
    /// The server's own answer, after it has done what was asked: nobody hears it.
    Unheard,
}

/// A request that was made.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query.
    pub(crate) uri: String,
    pub(crate) bytes: u64,
}

type Matches = Box<dyn Fn(&Asked) -> bool + Send>;

#[derive(Default)]
struct Inner {
    faults: Mutex<Vec<(Matches, Fault, usize)>>,
    asked: Mutex<Vec<Asked>>,
    joining: Mutex<Duration>,
}

/// A running server with a directory of its own. Stopped when dropped.
pub(crate) struct Buckets {
    root: TempDir,
    address: SocketAddr,
    inner: Arc<Inner>,
    listing: Arc<Listing>,
    tls: Option<Tls>,
    running: Option<(oneshot::Sender<()>, JoinHandle<()>)>,
}

impl Buckets {
    /// A server with these buckets. Each has one pair of keys: `{bucket}-id` and `{bucket}-secret`, which open no other.
    pub(crate) fn start(buckets: &[&str]) -> Self {
        Self::begin(buckets, None)
    }

    /// The same behind TLS, with a certificate that an authority of its own signed.
    #[allow(dead_code, reason = "benchmarks have no use for it")]
    pub(crate) fn start_encrypted(buckets: &[&str]) -> Self {
        Self::begin(buckets, Some(Tls::new()))
    }

    fn begin(buckets: &[&str], tls: Option<Tls>) -> Self {
        let root = tempfile::tempdir().unwrap();
        for bucket in buckets {
            std::fs::create_dir(root.path().join(bucket)).unwrap();
        }
        let listing = Arc::new(Listing::new(root.path()));
        let mut server = Self {
            root,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            inner: Arc::default(),
            listing,
            tls,
            running: None,
        };
        server.start_again();
        server
    }

    /// Starts it once more on the same port, with what it has stored.
    pub(crate) fn start_again(&mut self) {
        let listener = TcpListener::bind(self.address).unwrap();
        listener.set_nonblocking(true).unwrap();
        self.address = listener.local_addr().unwrap();
        let mut builder = S3ServiceBuilder::new(Listing::clone(&self.listing));
        let mut keys = SimpleAuth::new();
        // Known for buckets that aren't there too.
        for bucket in self.buckets().iter().map(String::as_str).chain(["missing"]) {
            keys.register(format!("{bucket}-id"), format!("{bucket}-secret").into());
        }
        builder.set_auth(keys);
        builder.set_access(OwnBucketOnly);
        let (service, inner) = (builder.build(), Arc::clone(&self.inner));
        let tls = self.tls.as_ref().map(Tls::acceptor);
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, tls, service, inner) => {}
                    _ = stopped => {}
                }
            });
            // Connections end in the middle of whatever they carry.
            runtime.shutdown_background();
        });
        self.running = Some((stop, thread));
    }

    /// Ends the server in the middle of whatever it does.
    pub(crate) fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            let _ = stop.send(());
            thread.join().unwrap();
        }
    }

    fn buckets(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path())
            .unwrap()
            .map(Result::unwrap);
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect()
    }

    /// `http://HOST:PORT`.
    pub(crate) fn endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.address)
    }

    /// A bucket, reached with its own keys.
    pub(crate) fn location(&self, bucket: &str, prefix: &str) -> Location {
        Location {
            url: format!("s3://{bucket}/{prefix}"),
            s3: S3Access {
                endpoint: Some(self.endpoint()),
                credentials: Some(S3Credentials {
                    access_key_id: format!("{bucket}-id"),
                    secret_access_key: format!("{bucket}-secret").into(),
                }),
                allow_http: true,
                ca_file: self.tls.as_ref().map(Tls::authority),
                ..S3Access::default()
            },
        }
    }

    /// The same as a section of a configuration.
    pub(crate) fn section(&self, name: &str, bucket: &str) -> String {
        format!(
            "\n[s3.{name}]\nendpoint = \"{}\"\nallow_http = true\naccess_key_id = \"{bucket}-id\"\nsecret_access_key = \"{bucket}-secret\"\n",
            self.endpoint()
        )
    }

    /// The next so many requests that match meet a fault.
    pub(crate) fn fault(
        &self,
        fault: Fault,
        times: usize,
        matches: impl Fn(&Asked) -> bool + Send + 'static,
    ) {
        self.inner
            .faults
            .lock()
            .unwrap()
            .push((Box::new(matches), fault, times));
    }

    /// No more faults.
    pub(crate) fn heal(&self) {
        self.inner.faults.lock().unwrap().clear();
    }

    /// Whether the server lists unfinished uploads; by itself it doesn't.
    pub(crate) fn lists_uploads(&self, lists: bool) {
        self.listing.answer(lists);
    }

    /// All that was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().unwrap().clone()
    }

    /// How long it has taken in all to put uploads' parts together. This server copies them; a real one needn't.
    #[allow(dead_code, reason = "a benchmark's")]
    pub(crate) fn joining(&self) -> Duration {
        *self.inner.joining.lock().unwrap()
    }

    /// The file of an object.
    pub(crate) fn file(&self, bucket: &str, key: &str) -> PathBuf {
        self.root.path().join(bucket).join(key)
    }

    /// The objects of a bucket, by key, with their sizes.
    pub(crate) fn objects(&self, bucket: &str) -> BTreeMap<String, u64> {
        let folder = self.root.path().join(bucket);
        let mut found = BTreeMap::new();
        walk(&folder, &folder, &mut found);
        found
    }

    /// Files of the server's own that stand for uploads which haven't ended. A part that was on its way when its upload was given up may still
    /// arrive, as S3 says of itself; this server then keeps the part's file, which is no concern of whoever gave up.
    pub(crate) fn unfinished(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.root.path())
            .unwrap()
            .map(Result::unwrap);
        let names = entries.map(|entry| entry.file_name().into_string().unwrap());
        names.filter(|name| name.starts_with(".upload-")).collect()
    }

    /// Waits until no upload is unfinished: clearing up runs on its own.
    pub(crate) async fn tidy(&self) {
        for _ in 0..3_000 {
            if self.unfinished().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("left behind: {:?}", self.unfinished());
    }
}

impl Drop for Buckets {
    fn drop(&mut self) {
        self.stop();
    }
}

fn walk(folder: &Path, root: &Path, found: &mut BTreeMap<String, u64>) {
    for entry in std::fs::read_dir(folder)
        .into_iter()
        .flatten()
        .map(Result::unwrap)
    {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, root, found);
        } else {
            let key = path.strip_prefix(root).unwrap().to_str().unwrap();
            found.insert(key.to_owned(), entry.metadata().unwrap().len());
        }
    }
}

/// Keys open the bucket they are named after.
struct OwnBucketOnly;

#[async_trait::async_trait]
impl Access for OwnBucketOnly {
    async fn check(&self, context: &mut S3AccessContext<'_>) -> S3Result<()> {
        let key = context.credentials().map(|pair| pair.access_key.as_str());
        let bucket = context.s3_path().get_bucket_name();
        match (key.and_then(|key| key.strip_suffix("-id")), bucket) {
            (Some(own), Some(bucket)) if own == bucket => Ok(()),
            _ => Err(s3_error!(AccessDenied)),
        }
    }
}

async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    service: S3Service,
    inner: Arc<Inner>,
) {
    let listener = tokio::net::TcpListener::from_std(listener).unwrap();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            continue;
        };
        let (service, inner) = (service.clone(), Arc::clone(&inner));
        let answer = service_fn(move |request: Request<Incoming>| {
            let (service, inner) = (service.clone(), Arc::clone(&inner));
            async move { answer(request, &service, &inner).await }
        });
        let tls = tls.clone();
        tokio::spawn(async move {
            let http = hyper::server::conn::http1::Builder::new();
            // Whoever doesn't believe the certificate hangs up.
            match tls {
                None => http
                    .serve_connection(TokioIo::new(stream), answer)
                    .await
                    .ok(),
                Some(tls) => match tls.accept(stream).await {
                    Ok(stream) => http
                        .serve_connection(TokioIo::new(stream), answer)
                        .await
                        .ok(),
                    Err(_) => None,
                },
            }
        });
    }
}

async fn answer(
    request: Request<Incoming>,
    service: &S3Service,
    inner: &Inner,
) -> Result<Response<Body>, std::io::Error> {
    let asked = Asked {
        method: request.method().clone(),
        uri: request.uri().to_string(),
        bytes: request
            .headers()
            .get("content-length")
            .and_then(|length| length.to_str().ok()?.parse().ok())
            .unwrap_or(0),
    };
    let fault = fault_for(inner, &asked);
    let joins = asked.method == Method::POST && asked.uri.contains("uploadId=");
    inner.asked.lock().unwrap().push(asked);
    let ended = || std::io::Error::other("a fault ends the connection");
    match fault {
        Some(Fault::Answer(status, code)) => {
            let xml = format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?><Error><Code>{code}</Code><Message>A stand-in says so.</Message></Error>"
            );
            Ok(Response::builder()
                .status(status)
                .body(Body::from(xml))
                .unwrap())
        }
        Some(Fault::Silence) => std::future::pending().await,
        Some(Fault::End) => Err(ended()),
        Some(Fault::Unheard) => {
            let done = service.call(request.map(Body::from)).await;
            done.map_err(|_| ended())?;
            Err(ended())
        }
        Some(Fault::Late(millis)) => {
            let begun = Instant::now();
            let done = service.call(request.map(Body::from)).await;
            if joins {
                *inner.joining.lock().unwrap() += begun.elapsed();
            }
            tokio::time::sleep(Duration::from_millis(millis)).await;
            done.map_err(|_| ended())
        }
        None => service
            .call(request.map(Body::from))
            .await
            .map_err(|_| ended()),
    }
}

fn fault_for(inner: &Inner, asked: &Asked) -> Option<Fault> {
    let mut faults = inner.faults.lock().unwrap();
    let (_, fault, times) = faults
        .iter_mut()
        .find(|(matches, _, times)| *times > 0 && matches(asked))?;
    *times -= 1;
    Some(*fault)
}
