//! `[artifacts]`: where finished exports are stored, in which form, and for how long.

use carnet_events::domain::request::Format;
use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::Complaints;
use crate::export::artifact::bucket_of;

/// `[artifacts]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Artifacts {
    /// Where artifacts are stored: `file:DIRECTORY` or `s3://BUCKET/PREFIX`.
    pub url: String,
    /// The section that says how the bucket is reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s3: Option<String>,
    /// Format of an export that doesn't ask for one.
    pub format: Format,
    /// Compression of an export that doesn't ask for one.
    pub compression: Compression,
    /// How long an artifact can be downloaded.
    pub ttl: Span,
    /// Whether the service sends files itself.
    pub downloads: Downloads,
    /// How long an address of a file in a bucket works, with presigned downloads.
    pub presigned_ttl: Span,
    /// How long a download link works.
    pub link_ttl: Span,
    /// How long after expiry the file is deleted, so that running downloads end well.
    pub delete_after: Span,
    /// How often what crashes left is swept away, and how old it must be: objects that can't be published any more, and what is half-written
    /// of them. What may yet be published is a day older at least.
    pub sweep_after: Span,
}

/// Who sends a file to whoever downloads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Downloads {
    /// The service, every block checked first, rights checked again.
    Service,
    /// The bucket, by a short-lived address: rights are checked when it is given out and no more.
    Presigned,
}

/// How an artifact is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compression {
    /// One gzip member (RFC 1952).
    Gzip,
    /// One zstd frame (RFC 8878).
    Zstd,
    /// As it is.
    None,
}

impl Default for Artifacts {
    fn default() -> Self {
        Self {
            url: "file:data/artifacts".to_owned(),
            s3: None,
            format: Format::Json,
            compression: Compression::Gzip,
            ttl: Span::days(7),
            downloads: Downloads::Service,
            presigned_ttl: Span::seconds(60),
            link_ttl: Span::minutes(15),
            delete_after: Span::hours(1),
            sweep_after: Span::days(1),
        }
    }
}

impl Artifacts {
    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        check_url("artifacts.url", &self.url, at);
        at.within(
            "artifacts.ttl",
            self.ttl,
            Span::minutes(1),
            Span::days(3650),
        );
        at.within(
            "artifacts.link_ttl",
            self.link_ttl,
            Span::seconds(10),
            Span::days(1),
        );
        // A short link is no reason to complain of an address that nobody gives out.
        let longest = match self.downloads {
            Downloads::Presigned => self.link_ttl,
            Downloads::Service => Span::days(1),
        };
        at.within(
            "artifacts.presigned_ttl",
            self.presigned_ttl,
            Span::seconds(1),
            longest,
        );
        at.within(
            "artifacts.delete_after",
            self.delete_after,
            Span::seconds(0),
            Span::days(31),
        );
        at.within(
            "artifacts.sweep_after",
            self.sweep_after,
            Span::seconds(1),
            Span::days(31),
        );
    }
}

/// Whether this build can store artifacts at `url`; tenants' own storage is checked the same way.
pub(super) fn check_url(key: &str, url: &str, at: &mut Complaints<'_>) {
    let known = url
        .strip_prefix("file:")
        .is_some_and(|path| !path.is_empty());
    if !known && bucket_of(url).is_none() {
        at.add(
            key,
            "names no storage this build has",
            "write \"file:\" and a directory, as in \"file:data/artifacts\", or a bucket and a prefix, as in \"s3://acme-exports/carnet\"",
        );
    }
}
