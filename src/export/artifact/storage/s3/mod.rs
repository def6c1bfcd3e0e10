//! A bucket: how it is reached, and how long it is waited for.
//!
//! What `object_store` does within one call: it signs, asks the server to check the SHA-256 of every body, and repeats what failed on the
//! way or with a `5xx`, for up to [`RETRIED`]. What is added here: a deadline for every call, so that a server that takes a connection and says
//! nothing holds nobody up for ever; a second try with a fresh connection and signature; and errors that name the remedy.

mod answer;
mod parts;
mod pending;
mod upload;

use std::fmt;
use std::future::Future;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use object_store::aws::{AmazonS3, AmazonS3Builder, Checksum};
use object_store::path::Path;
use object_store::prefix::PrefixStore;
use object_store::signer::{Method, SignedUrlOptions, Signer};
use object_store::{
    BackoffConfig, Certificate, ClientOptions, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    PutPayload, RetryConfig,
};
use secrecy::{ExposeSecret, SecretString};

use super::location::{S3Access, bucket_of};
use crate::export::artifact::StorageError;

pub(in crate::export::artifact) use answer::meaning;
pub(super) use parts::{BUFFER_BYTES as MOST_AT_ONCE, part_bytes};
pub(super) use upload::Parts;

/// How long a bucket that refuses connections or answers `5xx` is tried again within one call.
const RETRIED: Duration = Duration::from_secs(30);

/// How long a small call may take before it is tried once more, unless the settings say otherwise.
const PATIENCE: Duration = Duration::from_secs(10);

/// The slowest that bodies may move, in bytes a second, beyond [`PATIENCE`].
const SLOWEST: u64 = 512 * 1024;

/// Tries of one call.
const TRIES: usize = 2;

/// A bucket, or what lies below a prefix of it. Cheap to clone.
#[derive(Clone)]
pub(super) struct Bucket {
    name: String,
    prefix: Path,
    s3: AmazonS3,
    objects: PrefixStore<AmazonS3>,
    patience: Duration,
    /// For what `object_store` has no call for; its requests are signed in their address.
    http: reqwest::Client,
}

impl fmt::Debug for Bucket {
    /// Where it is; how it is reached is nobody's business.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.name, self.prefix)
    }
}

impl Bucket {
    /// Reads the settings; nothing is sent yet.
    pub(super) fn new(url: &str, access: &S3Access) -> Result<Self, StorageError> {
        let Some((name, prefix)) = bucket_of(url) else {
            return Err(StorageError::Failed {
                reason: "the url is not of the form s3://BUCKET/PREFIX".to_owned(),
            });
        };
        let certificates = certificates(access)?;
        let s3 = builder(name, access, &certificates).build()?;
        let prefix = super::path(prefix)?;
        Ok(Self {
            name: name.to_owned(),
            objects: PrefixStore::new(s3.clone(), prefix.clone()),
            prefix,
            s3,
            patience: access.timeout.unwrap_or(PATIENCE),
            http: http(access, certificates.as_deref())?,
        })
    }

    /// What lies below the prefix.
    pub(super) fn objects(&self) -> &PrefixStore<AmazonS3> {
        &self.objects
    }

    /// Makes a call that may be repeated, moving this many bytes.
    pub(super) async fn call<T, F>(
        &self,
        bytes: u64,
        call: impl Fn() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.patiently(self.deadline(bytes), TRIES, call).await
    }

    /// Makes a call, up to so often, each time with a deadline.
    async fn patiently<T, F>(
        &self,
        deadline: Duration,
        tries: usize,
        call: impl Fn() -> F,
    ) -> Result<T, StorageError>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        self.credentials().await?;
        for _ in 0..tries {
            if let Ok(done) = tokio::time::timeout(deadline, call()).await {
                return Ok(done?);
            }
        }
        Err(StorageError::Unreachable {
            reason: format!(
                "it didn't answer within {} s, {tries} times",
                deadline.as_secs()
            ),
        })
    }

    /// Sees to it that there are credentials to sign with. They are kept as long as they are good.
    async fn credentials(&self) -> Result<(), StorageError> {
        let found =
            tokio::time::timeout(self.patience, self.s3.credentials().get_credential()).await;
        match found {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(StorageError::NoCredentials {
                reason: StorageError::from(error).to_string(),
            }),
            Err(_) => Err(StorageError::NoCredentials {
                reason: "none are configured, and nobody on this machine gives out any".to_owned(),
            }),
        }
    }

    /// How long a call that moves this many bytes may take.
    fn deadline(&self, bytes: u64) -> Duration {
        self.patience + Duration::from_secs(bytes / SLOWEST)
    }

    /// Puts an object that must not be there yet. Where a repeated call finds its own work done, that is success.
    pub(super) async fn put_new(&self, path: &Path, bytes: PutPayload) -> Result<(), StorageError> {
        let length = bytes.content_length() as u64;
        let put = || {
            let options = PutOptions::from(PutMode::Create);
            self.objects.put_opts(path, bytes.clone(), options)
        };
        let mut done = self.call(length, put).await;
        if matches!(done, Err(StorageError::Unreachable { .. })) {
            // It may have been done, and the answer lost: the second call tells.
            done = self.call(length, put).await;
        }
        match done {
            Ok(_) => Ok(()),
            Err(StorageError::Exists { .. }) => {
                let there = self.get(path, length).await?;
                if there == Bytes::from(bytes) {
                    Ok(())
                } else {
                    Err(StorageError::Exists {
                        key: path.to_string(),
                    })
                }
            }
            Err(error) => Err(error),
        }
    }

    /// An address of an object that anybody can use for a while.
    pub(super) async fn presign(
        &self,
        path: &Path,
        valid: Duration,
        answer: &[(&'static str, String)],
    ) -> Result<SecretString, StorageError> {
        self.credentials().await?;
        let options = SignedUrlOptions::default().with_query(answer.iter().cloned());
        let signed = self
            .objects
            .signed_url_opts(Method::GET, path, valid, &options);
        Ok(String::from(signed.await?).into())
    }

    /// Says what about the bucket lets things live on that the service takes for gone. Nothing that keeps it from being used.
    pub(super) async fn warn(&self) {
        if let Ok(None) = self.pending().await {
            tracing::warn!(bucket = ?self, "the bucket doesn't list unfinished uploads: allow s3:ListBucketMultipartUploads, or give it a lifecycle rule AbortIncompleteMultipartUpload, or what a crash leaves in it stays");
        }
        let marker = super::path(super::MARKER);
        let versions = |meta: &object_store::ObjectMeta| {
            meta.version
                .as_deref()
                .is_some_and(|version| version != "null")
        };
        if let Ok(path) = marker
            && self.head(&path).await.is_ok_and(|meta| versions(&meta))
        {
            tracing::warn!(bucket = ?self, "the bucket keeps old versions: turn that off, or let a lifecycle rule expire noncurrent versions, or deleted exports live on in it");
        }
    }

    /// An object of about this size.
    pub(super) async fn get(&self, path: &Path, length: u64) -> Result<Bytes, StorageError> {
        let get = || async { self.objects.get(path).await?.bytes().await };
        self.call(length, get).await
    }

    /// Size and version of an object. The answer to this call has no body, so a refusal is asked about again in a way that has one.
    pub(super) async fn head(&self, path: &Path) -> Result<object_store::ObjectMeta, StorageError> {
        let error = match self.call(0, || self.objects.head(path)).await {
            Err(error @ StorageError::Failed { .. }) => error,
            other => return other,
        };
        match self.get(&super::path(super::MARKER)?, 0).await {
            Ok(_) | Err(StorageError::Missing { .. }) => Err(error),
            Err(told) => Err(told),
        }
    }
}

fn builder(name: &str, access: &S3Access, certificates: &Option<Vec<u8>>) -> AmazonS3Builder {
    let builder = match &access.credentials {
        // Nothing of another identity that the environment may know is mixed in.
        Some(own) => AmazonS3Builder::new()
            .with_access_key_id(&own.access_key_id)
            .with_secret_access_key(own.secret_access_key.expose_secret()),
        None => AmazonS3Builder::from_env(),
    };
    let mut client = ClientOptions::new()
        .with_allow_http(access.allow_http)
        .with_connect_timeout(Duration::from_secs(5))
        // A part may be large: see `patiently`, which knows how large.
        .with_timeout_disabled();
    for certificate in certificates
        .iter()
        .flat_map(|pem| Certificate::from_pem_bundle(pem))
    {
        for certificate in certificate {
            client = client.with_root_certificate(certificate);
        }
    }
    let mut builder = builder
        .with_bucket_name(name)
        .with_client_options(client)
        .with_virtual_hosted_style_request(access.virtual_hosted)
        // One request per deletion: any server knows it, and it needs no permission beyond.
        .with_disable_bulk_delete(true)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: Duration::from_millis(100),
                max_backoff: Duration::from_secs(5),
                base: 2.0,
            },
            max_retries: 12,
            retry_timeout: RETRIED,
        });
    if !access.without_checksums {
        builder = builder.with_checksum_algorithm(Checksum::SHA256);
    }
    if let Some(region) = region(access) {
        builder = builder.with_region(region);
    }
    if let Some(endpoint) = &access.endpoint {
        builder = builder.with_endpoint(if access.virtual_hosted {
            in_host(endpoint, name)
        } else {
            endpoint.clone()
        });
    }
    builder
}

/// The bucket as a part of the endpoint's host name.
fn in_host(endpoint: &str, bucket: &str) -> String {
    match endpoint.split_once("://") {
        Some((scheme, host)) => format!("{scheme}://{bucket}.{host}"),
        None => endpoint.to_owned(),
    }
}

fn region(access: &S3Access) -> Option<String> {
    let set = |name| std::env::var(name).ok().filter(|region| !region.is_empty());
    (access.region.clone())
        .or_else(|| set("AWS_REGION"))
        .or_else(|| set("AWS_DEFAULT_REGION"))
}

fn certificates(access: &S3Access) -> Result<Option<Vec<u8>>, StorageError> {
    let Some(file) = &access.ca_file else {
        return Ok(None);
    };
    let unusable = |error: &dyn fmt::Display| StorageError::Failed {
        reason: format!(
            "the certificates in {} can't be used: {error}: name a PEM file in ca_file",
            file.display()
        ),
    };
    let pem = std::fs::read(file).map_err(|error| unusable(&error))?;
    match Certificate::from_pem_bundle(&pem) {
        Ok(found) if found.is_empty() => Err(unusable(&io::Error::from(io::ErrorKind::NotFound))),
        Ok(_) => Ok(Some(pem)),
        Err(error) => Err(unusable(&error)),
    }
}

fn http(access: &S3Access, certificates: Option<&[u8]>) -> Result<reqwest::Client, StorageError> {
    let mut client = reqwest::Client::builder()
        .https_only(!access.allow_http)
        .connect_timeout(Duration::from_secs(5))
        .timeout(access.timeout.unwrap_or(PATIENCE))
        .redirect(reqwest::redirect::Policy::none());
    if let Some(pem) = certificates {
        for certificate in reqwest::Certificate::from_pem_bundle(pem)
            .into_iter()
            .flatten()
        {
            client = client.add_root_certificate(certificate);
        }
    }
    client.build().map_err(|error| super::failed(&error))
}
