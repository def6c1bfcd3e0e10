//! `[s3.<name>]`: how buckets are reached, and with whose credentials.
//!
//! A storage names the section it uses (`s3 = "<name>"` beside its url). One that names none uses `[s3.default]`, and without that what the
//! environment gives: `AWS_ACCESS_KEY_ID` and its like, a web identity, the container's or the machine's role.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use carnet_events::ids::TenantId;
use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::{Complaint, Complaints};
use super::secret::Secret;
use super::{Config, ConfigError};
use crate::export::artifact::{Location, S3Access, S3Credentials, bucket_of};

/// The section of storages that name none.
const DEFAULT: &str = "default";

/// A file with a secret is small; a larger one is some other file.
const MAX_SECRET_BYTES: u64 = 4096;

/// `[s3.<name>]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct S3 {
    /// A server other than Amazon's, as in `https://minio.example:9000`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// Where the bucket is. Left out, `AWS_REGION`, else `us-east-1`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Left out, credentials come from the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// The secret that belongs to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key: Option<Secret>,
    /// A file that holds the secret instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_access_key_file: Option<PathBuf>,
    /// Whether the bucket's name stands in the host name, not in the path.
    pub virtual_hosted: bool,
    /// Whether connections may be unencrypted.
    pub allow_http: bool,
    /// Certificates (PEM) of authorities to trust besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// How long a small call may take before it is tried once more; larger ones get longer by their size.
    pub timeout: Span,
    /// Whether the server checks and keeps SHA-256 of what it stores; some can't.
    pub checksums: bool,
}

impl Default for S3 {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            access_key_id: None,
            secret_access_key: None,
            secret_access_key_file: None,
            virtual_hosted: false,
            allow_http: false,
            ca_file: None,
            timeout: Span::seconds(10),
            checksums: true,
        }
    }
}

impl S3 {
    pub(super) fn check(&self, name: &str, at: &mut Complaints<'_>) {
        let key = |key: &str| format!("s3.{name}.{key}");
        if let Some(endpoint) = &self.endpoint {
            let host = ["https://", "http://"]
                .into_iter()
                .find_map(|scheme| endpoint.strip_prefix(scheme));
            let is_host = |host: &str| {
                !host.is_empty()
                    && host
                        .bytes()
                        .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
            };
            if !host.is_some_and(is_host) {
                at.add(
                    &key("endpoint"),
                    "is not the address of a server",
                    "write scheme, host and port alone, as in \"https://minio.example:9000\"",
                );
            } else if endpoint.starts_with("http://") && !self.allow_http {
                at.add(
                    &key("endpoint"),
                    "is unencrypted",
                    "write https://, or set allow_http = true if nobody else is on that network",
                );
            }
        }
        let word = |text: &String| {
            (1..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
        };
        if self.region.as_ref().is_some_and(|region| !word(region)) {
            at.add(
                &key("region"),
                "is not the name of a region",
                "write it as in \"eu-central-1\"",
            );
        }
        at.within(
            &key("timeout"),
            self.timeout,
            Span::seconds(1),
            Span::minutes(5),
        );
        let secrets = usize::from(self.secret_access_key.is_some())
            + usize::from(self.secret_access_key_file.is_some());
        if usize::from(self.access_key_id.is_some()) != secrets {
            at.add(
                &key("access_key_id"),
                "and its secret don't come as a pair",
                "set access_key_id and one of secret_access_key and secret_access_key_file, or none of them",
            );
        }
    }

    /// With the secret read where it stands.
    fn access(&self) -> Result<S3Access, (&'static str, String)> {
        let secret = match (&self.secret_access_key, &self.secret_access_key_file) {
            (Some(secret), _) => Some(secret.expose().to_owned()),
            (None, Some(file)) => {
                Some(read_secret(file).map_err(|problem| ("secret_access_key_file", problem))?)
            }
            (None, None) => None,
        };
        if let Some(file) = &self.ca_file {
            std::fs::File::open(file)
                .map_err(|error| ("ca_file", format!("{}: {error}", file.display())))?;
        }
        Ok(S3Access {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            credentials: self
                .access_key_id
                .clone()
                .zip(secret)
                .map(|(id, secret)| S3Credentials {
                    access_key_id: id,
                    secret_access_key: secret.into(),
                }),
            virtual_hosted: self.virtual_hosted,
            allow_http: self.allow_http,
            ca_file: self.ca_file.clone(),
            timeout: Some(self.timeout.get()),
            without_checksums: !self.checksums,
        })
    }
}

fn read_secret(file: &Path) -> Result<String, String> {
    let shown = |problem: &dyn std::fmt::Display| format!("{}: {problem}", file.display());
    let size = std::fs::metadata(file)
        .map_err(|error| shown(&error))?
        .len();
    if size > MAX_SECRET_BYTES {
        return Err(shown(&"is too large for a secret"));
    }
    let text = std::fs::read_to_string(file).map_err(|error| shown(&error))?;
    match text.trim() {
        "" => Err(shown(&"is empty")),
        secret => Ok(secret.to_owned()),
    }
}

impl Config {
    /// The common storage, and those that tenants bring.
    ///
    /// # Errors
    /// Secrets and certificates that can't be read, each with its remedy.
    pub fn storages(&self) -> Result<(Location, BTreeMap<TenantId, Location>), ConfigError> {
        let mut complaints = Vec::new();
        let mut location = |url: &str, name: Option<&str>| {
            self.location(url, name).unwrap_or_else(|complaint| {
                complaints.push(complaint);
                Location::default()
            })
        };
        let common = location(&self.artifacts.url, self.artifacts.s3.as_deref());
        // Ids are checked with the configuration; what isn't one has no storage.
        let own = self.tenants.iter().filter_map(|(id, tenant)| {
            let url = tenant.artifacts.as_ref()?;
            Some((TenantId::new(id).ok()?, location(url, tenant.s3.as_deref())))
        });
        let own = own.collect();
        if complaints.is_empty() {
            Ok((common, own))
        } else {
            complaints.dedup();
            Err(ConfigError { complaints })
        }
    }

    fn location(&self, url: &str, name: Option<&str>) -> Result<Location, Complaint> {
        let name = name.unwrap_or(DEFAULT);
        let access = match self.s3.get(name) {
            Some(section) if bucket_of(url).is_some() => section.access(),
            _ => Ok(S3Access::default()),
        };
        let s3 = access.map_err(|(key, problem)| {
            self.complaint(
                &format!("s3.{name}.{key}"),
                problem,
                "name a file that exists and that this user may read",
            )
        })?;
        Ok(Location {
            url: url.to_owned(),
            s3,
        })
    }

    /// Sections that are named and not there; storages that lie in one another.
    pub(super) fn check_storages(&self, at: &mut Complaints<'_>) {
        for (name, section) in &self.s3 {
            section.check(name, at);
        }
        let common = (
            "artifacts.url".to_owned(),
            Some(&self.artifacts.url),
            &self.artifacts.s3,
        );
        let own = self.tenants.iter().map(|(id, tenant)| {
            (
                format!("tenants.{id}.artifacts"),
                tenant.artifacts.as_ref(),
                &tenant.s3,
            )
        });
        let mut buckets = Vec::new();
        for (key, url, name) in std::iter::once(common).chain(own) {
            if let Some(name) = name.as_ref().filter(|name| !self.s3.contains_key(*name)) {
                let section = key.rsplit_once('.').map_or("", |(section, _)| section);
                at.add(
                    &format!("{section}.s3"),
                    format!("names [s3.{name}], which isn't there"),
                    "add the section, or leave the key out to use what the environment gives",
                );
            }
            let Some((bucket, prefix)) = url.and_then(|url| bucket_of(url)) else {
                continue;
            };
            let section = self.s3.get(name.as_deref().unwrap_or(DEFAULT));
            let server = section.and_then(|section| section.endpoint.as_deref());
            buckets.push((key, (server, bucket), prefix));
        }
        let below = |inner: &str, outer: &str| {
            inner != outer
                && (outer.is_empty()
                    || inner
                        .strip_prefix(outer)
                        .is_some_and(|rest| rest.starts_with('/')))
        };
        for (key, place, prefix) in &buckets {
            if let Some((other, ..)) = buckets
                .iter()
                .find(|(_, other, outer)| other == place && below(prefix, outer))
            {
                at.add(
                    key,
                    format!("lies within the storage of `{other}`"),
                    "give each a prefix of its own beside the other, or the same",
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;
