//! Object keys: `{tenant}/{export}/{attempt}-{claim}.json.gz`.

use std::fmt;
use std::str::FromStr;

use carnet_events::ids::{Digest, ExportId, InvalidId, TenantId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use uuid::Uuid;

use crate::export::artifact::Compression;

/// Everything but letters, digits, `-` and `_` is encoded, dots too: no segment is `.` or `..`, hidden, or anything a file system minds.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The longest tenant segment as it is; file systems end at 255. A longer one is named by its digest.
const MAX_SEGMENT: usize = 200;

/// What a sidecar's key adds to the artifact's.
const SIDECAR: &str = ".blocks";

/// The key of one attempt's artifact. No two attempts share one: it holds the attempt and a random claim.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactKey {
    text: String,
    export: ExportId,
    attempt: u32,
    compression: Compression,
}

impl ArtifactKey {
    /// The key for an attempt at an export.
    #[must_use]
    pub fn new(
        tenant: &TenantId,
        export: ExportId,
        attempt: u32,
        claim: Uuid,
        compression: Compression,
    ) -> Self {
        let segment = segment(tenant);
        let text = format!(
            "{segment}/{export}/{attempt}-{}.{}",
            claim.simple(),
            compression.extension()
        );
        Self {
            text,
            export,
            attempt,
            compression,
        }
    }

    /// The key as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the key of one of this tenant's artifacts.
    #[must_use]
    pub fn is_of(&self, tenant: &TenantId) -> bool {
        self.text.split('/').next() == Some(segment(tenant).as_str())
    }

    /// Which export it is of.
    #[must_use]
    pub fn export(&self) -> ExportId {
        self.export
    }

    /// Which attempt made it.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// What is wrapped around the document.
    #[must_use]
    pub fn compression(&self) -> Compression {
        self.compression
    }

    /// The key of the block digests beside it.
    #[must_use]
    pub(crate) fn sidecar(&self) -> String {
        format!("{}{SIDECAR}", self.text)
    }

    /// The artifact that an object belongs to: its own key or that of its sidecar.
    #[must_use]
    pub(crate) fn of_object(object: &str) -> Option<Self> {
        object.strip_suffix(SIDECAR).unwrap_or(object).parse().ok()
    }
}

/// The tenant's part of a key.
fn segment(tenant: &TenantId) -> String {
    let segment = utf8_percent_encode(tenant.as_str(), ENCODED).to_string();
    if segment.len() <= MAX_SEGMENT {
        return segment;
    }
    let digest = Digest::of(tenant.as_str().as_bytes()).to_string();
    format!("%{}", digest.replace(':', "-"))
}

impl fmt::Display for ArtifactKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ArtifactKey {
    type Err = InvalidId;

    /// Reads a key of ours; anything else, a path that leads elsewhere above all, is refused.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(InvalidId {
            what: "artifact key",
            reason: "it is `{tenant}/{export}/{attempt}-{claim}.{extension}`",
        })
    }
}

fn parse(text: &str) -> Option<ArtifactKey> {
    let mut segments = text.split('/');
    let (tenant, export, name) = (segments.next()?, segments.next()?, segments.next()?);
    let tenant_ok = !tenant.is_empty()
        && tenant.len() <= 255
        && tenant
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_%".contains(&byte));
    let (stem, extension) = name.split_once('.')?;
    let (attempt, claim) = stem.split_once('-')?;
    let compression = [Compression::Gzip, Compression::Zstd, Compression::None]
        .into_iter()
        .find(|it| it.extension() == extension)?;
    let claim_ok = claim.len() == 32
        && claim
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let key = ArtifactKey {
        text: text.to_owned(),
        export: export.parse().ok()?,
        attempt: attempt.parse().ok()?,
        compression,
    };
    (segments.next().is_none() && tenant_ok && claim_ok && key.attempt.to_string() == attempt)
        .then_some(key)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    const EXPORT: &str = "0198c7a1-7b0c-7abc-8def-0123456789ab";

    fn key(tenant: &str) -> ArtifactKey {
        ArtifactKey::new(
            &TenantId::new(tenant).unwrap(),
            EXPORT.parse().unwrap(),
            3,
            Uuid::from_u128(0xabc),
            Compression::Zstd,
        )
    }

    #[test]
    fn keys_read_back_whatever_the_tenant() {
        assert_eq!(
            key("acme").as_str(),
            format!("acme/{EXPORT}/3-00000000000000000000000000000abc.json.zst")
        );
        for tenant in [
            "..",
            ".",
            "a/b",
            "../../etc",
            "%2e%2e",
            "Kuratorium Österreich",
            &"ß".repeat(64),
            "~",
            "a#1",
        ] {
            let key = key(tenant);
            assert_eq!(key.as_str().parse(), Ok(key.clone()));
            assert_eq!(ArtifactKey::of_object(&key.sidecar()), Some(key.clone()));
            assert_eq!(key.as_str().split('/').count(), 3);
            assert!(
                key.as_str()
                    .split('/')
                    .all(|segment| segment.len() <= 255 && !segment.starts_with('.')),
                "{key}"
            );
        }
        assert_ne!(key("a/b"), key("a%2Fb"));
    }

    #[test]
    fn nothing_else_is_a_key() {
        let claim = "0".repeat(32);
        for text in [
            format!("../{EXPORT}/3-{claim}.json"),
            format!("a/b/{EXPORT}/3-{claim}.json"),
            format!("a/{EXPORT}/3-{claim}.json#1"),
            format!("a/{EXPORT}/03-{claim}.json"),
            format!("a/{EXPORT}/3-{claim}.csv"),
            format!("a/{EXPORT}/3-{}.json", "G".repeat(32)),
            format!("/{EXPORT}/3-{claim}.json"),
            format!("a/{}/3-{claim}.json", EXPORT.to_uppercase()),
            String::new(),
        ] {
            assert!(text.parse::<ArtifactKey>().is_err(), "{text}");
        }
    }
}
