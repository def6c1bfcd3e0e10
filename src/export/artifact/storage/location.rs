//! Where a storage is, and how it is reached.

use std::path::PathBuf;
use std::time::Duration;

use carnet_events::ids::Digest;
use secrecy::SecretString;

/// The url of a storage, and what else it takes to reach it.
#[derive(Debug, Clone, Default)]
pub struct Location {
    /// `file:DIRECTORY` or `s3://BUCKET/PREFIX`.
    pub url: String,
    /// How a bucket is reached; a directory needs nothing.
    pub s3: S3Access,
}

/// How a bucket is reached, and with whose credentials.
#[derive(Debug, Clone, Default)]
pub struct S3Access {
    /// A server other than Amazon's, as in `https://minio.example:9000`.
    pub endpoint: Option<String>,
    /// Where the bucket is; `None`: what the environment says, else `us-east-1`.
    pub region: Option<String>,
    /// `None`: those of the environment, of the web identity, the container or the machine.
    pub credentials: Option<S3Credentials>,
    /// The bucket's name stands in the host name, not in the path.
    pub virtual_hosted: bool,
    /// Unencrypted connections are allowed.
    pub allow_http: bool,
    /// Certificates (PEM) of authorities to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// How long a small call may take before it is tried once more; `None`: ten seconds.
    pub timeout: Option<Duration>,
    /// The server isn't asked to check and keep SHA-256 of what it stores, which some can't. Its signature still covers every body.
    pub without_checksums: bool,
}

/// A pair of keys.
#[derive(Debug, Clone)]
pub struct S3Credentials {
    /// Names them.
    pub access_key_id: String,
    /// Proves them.
    pub secret_access_key: SecretString,
}

impl Location {
    /// A digest of where it is, the same whether anything is there or not. It tells nothing of how it is reached.
    #[must_use]
    pub fn fingerprint(&self) -> Digest {
        let place = match self.directory() {
            // Its parts, so that a slash more or less makes no other place of it.
            Some(path) => {
                let path = std::path::absolute(&path).unwrap_or(path);
                let path: PathBuf = path.components().collect();
                format!("file:{}", path.display())
            }
            None => {
                let endpoint = self.s3.endpoint.as_deref().unwrap_or_default();
                let (bucket, prefix) = bucket_of(&self.url).unwrap_or((&self.url, ""));
                format!("s3:{}\n{bucket}/{prefix}", endpoint.trim_end_matches('/'))
            }
        };
        Digest::of(place.as_bytes())
    }

    /// The directory, if it is one.
    pub(super) fn directory(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("file:")?;
        Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }
}

impl From<&str> for Location {
    /// A storage that is reached with what the environment gives.
    fn from(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            s3: S3Access::default(),
        }
    }
}

impl From<&String> for Location {
    fn from(url: &String) -> Self {
        url.as_str().into()
    }
}

/// The bucket and the prefix in `s3://BUCKET/PREFIX`; `None`: it isn't such a url. The prefix has no slash at either end and may be empty.
#[must_use]
pub fn bucket_of(url: &str) -> Option<(&str, &str)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
    let named = (3..=63).contains(&bucket.len())
        && bucket
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b))
        && bucket.starts_with(|first: char| first.is_ascii_alphanumeric());
    let plain = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"-_.=".contains(&b))
            && part != "."
            && part != ".."
    };
    // Keys below it take up to 350 bytes of the 1,024 that a key may have.
    let fits = prefix.len() <= 500 && (prefix.is_empty() || prefix.split('/').all(plain));
    (named && fits).then_some((bucket, prefix))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_one_fingerprint_however_it_is_written_and_reached() {
        let here = std::env::current_dir().unwrap();
        let of = |url: &str| Location::from(url).fingerprint();
        let absolute = format!("file:{}", here.join("data/artifacts").display());
        assert_eq!(of("file:data/artifacts"), of("file:data/artifacts/"));
        assert_eq!(of("file:data/artifacts"), of(&absolute));
        assert_ne!(of("file:data/artifacts"), of("file:data/other"));
        assert_eq!(of("s3://exports/a"), of("s3://exports/a/"));
        assert_ne!(of("s3://exports/a"), of("s3://exports/b"));
        let mut elsewhere = Location::from("s3://exports/a");
        elsewhere.s3.endpoint = Some("https://minio.example:9000".to_owned());
        assert_ne!(elsewhere.fingerprint(), of("s3://exports/a"));
        let mut renewed = elsewhere.clone();
        renewed.s3.credentials = Some(S3Credentials {
            access_key_id: "other".to_owned(),
            secret_access_key: "other".to_owned().into(),
        });
        assert_eq!(renewed.fingerprint(), elsewhere.fingerprint());
    }

    #[test]
    fn a_bucket_and_its_prefix_are_read_from_a_url() {
        for (url, found) in [
            ("s3://acme-exports/carnet", Some(("acme-exports", "carnet"))),
            ("s3://acme-exports/a/b_c/", Some(("acme-exports", "a/b_c"))),
            ("s3://acme.exports", Some(("acme.exports", ""))),
            ("s3://acme.exports/", Some(("acme.exports", ""))),
            ("s3://", None),
            ("s3://a/b", None),
            ("s3://Acme/b", None),
            ("s3://key:secret@acme/b", None),
            ("s3://acme-exports//b", None),
            ("s3://acme-exports/../b", None),
            ("s3://acme-exports/b?x=1", None),
            ("file:acme-exports/carnet", None),
        ] {
            assert_eq!(bucket_of(url), found, "{url}");
        }
    }
}
