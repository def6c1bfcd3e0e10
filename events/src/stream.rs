//! Stream names: which streams there are, and how each is called.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::ids::{Day, Digest, ExportId, InvalidId, Month, TenantId, serde_as_text};

/// The longest stream name, in bytes.
pub const MAX_STREAM_NAME_BYTES: usize = 512;

/// Tenant ids keep RFC 3986's unreserved characters; all else is percent-encoded, so that a name is plain ASCII
/// and no tenant can be called like another one's stream.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The part of the name that says the kind; the rest is the key within it.
const PREFIXES: [(&str, StreamKind); 6] = [
    ("export-", StreamKind::Export),
    ("tenant-", StreamKind::Tenant),
    ("access-", StreamKind::Access),
    ("policy-", StreamKind::Policy),
    ("directory-", StreamKind::Directory),
    ("sessions-", StreamKind::Sessions),
];

const PLATFORM: &str = "platform";

/// The directory of those who belong to no tenant. No tenant's directory is called so: `@` would be encoded.
const PLATFORM_DIRECTORY: &str = "directory-@platform";

/// What a stream is about; told from its name alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum StreamKind {
    /// `export-{id}`: the life of one export.
    Export,
    /// `tenant-{id}`: admissions and the life cycle of one tenant.
    Tenant,
    /// `access-{tenant}-{yyyy-mm}`: records of one tenant that decide nothing.
    Access,
    /// `policy-{digest}`: one compiled policy.
    Policy,
    /// `directory-{tenant}`: what is personal; the one kind of stream that can be erased. Operators have one as well.
    Directory,
    /// `sessions-{yyyy-mm-dd}`: beginnings and ends of the sessions that began on one day.
    Sessions,
    /// `platform`: what operators did to the whole service.
    Platform,
    /// Any other name; none is written by this service.
    Other,
}

impl StreamKind {
    /// What the names of these streams are like, in SQL; `None` for those that are like no other.
    pub(crate) fn pattern(self) -> Option<String> {
        if self == Self::Platform {
            return Some(PLATFORM.to_owned());
        }
        let named = PREFIXES.iter().find(|(_, kind)| *kind == self);
        named.map(|(prefix, _)| format!("{prefix}%"))
    }

    /// The patterns of all that have one.
    pub(crate) fn patterns() -> Vec<String> {
        let kinds = PREFIXES.iter().map(|(_, kind)| *kind);
        kinds
            .chain([Self::Platform])
            .filter_map(Self::pattern)
            .collect()
    }
}

/// The name of a stream: 1 to 512 printable ASCII characters without spaces, not beginning with `$`
/// (EventStoreDB keeps those to itself). Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StreamName {
    text: Arc<str>,
    /// Told from the text once: it is asked for several times with every event that is read.
    kind: StreamKind,
}

impl Hash for StreamName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl StreamName {
    /// The stream of one export.
    #[must_use]
    pub fn export(id: ExportId) -> Self {
        Self::of(format!("export-{id}"))
    }

    /// The stream of one tenant's admissions and life cycle.
    #[must_use]
    pub fn tenant(id: &TenantId) -> Self {
        Self::of(format!("tenant-{}", encoded(id)))
    }

    /// The stream of one tenant's access records of one month.
    #[must_use]
    pub fn access(tenant: &TenantId, month: Month) -> Self {
        Self::of(format!("access-{}-{month}", encoded(tenant)))
    }

    /// The stream of one tenant's personal data, which can be erased.
    #[must_use]
    pub fn directory(tenant: &TenantId) -> Self {
        Self::of(format!("directory-{}", encoded(tenant)))
    }

    /// The stream of the operators' personal data: who they are, and why they did what they did.
    #[must_use]
    pub fn platform_directory() -> Self {
        Self::of(PLATFORM_DIRECTORY)
    }

    /// The stream of one compiled policy.
    #[must_use]
    pub fn policy(digest: &Digest) -> Self {
        Self::of(format!("policy-{digest}"))
    }

    /// The stream of the sessions that began on one day.
    #[must_use]
    pub fn sessions(day: Day) -> Self {
        Self::of(format!("sessions-{day}"))
    }

    /// The stream of the service as a whole; its first event gives the log its id.
    #[must_use]
    pub fn platform() -> Self {
        Self::of(PLATFORM)
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What the stream is about.
    #[must_use]
    pub fn kind(&self) -> StreamKind {
        self.kind
    }

    /// The export whose stream this is.
    #[must_use]
    pub fn export_id(&self) -> Option<ExportId> {
        match self.kind {
            StreamKind::Export => self.key().parse().ok(),
            _ => None,
        }
    }

    /// The tenant whose stream this is: of its admissions, its access records or its directory.
    #[must_use]
    pub fn tenant_id(&self) -> Option<TenantId> {
        if &*self.text == PLATFORM_DIRECTORY {
            return None;
        }
        let key = self.key();
        let encoded = match self.kind {
            StreamKind::Tenant | StreamKind::Directory => key,
            // The month has a fixed width, whatever hyphens the tenant's id has.
            StreamKind::Access => key.get(..key.len().checked_sub("-yyyy-mm".len())?)?,
            StreamKind::Export
            | StreamKind::Policy
            | StreamKind::Sessions
            | StreamKind::Platform
            | StreamKind::Other => {
                return None;
            }
        };
        let id = percent_decode_str(encoded).decode_utf8().ok()?;
        TenantId::new(id).ok()
    }

    /// The policy whose stream this is.
    #[must_use]
    pub fn policy_digest(&self) -> Option<Digest> {
        match self.kind {
            StreamKind::Policy => self.key().parse().ok(),
            _ => None,
        }
    }

    fn of(text: impl Into<Arc<str>>) -> Self {
        let text = text.into();
        let kind = kind_of(&text);
        Self { text, kind }
    }

    /// What follows the part of the name that says the kind.
    fn key(&self) -> &str {
        let named = PREFIXES.iter().find(|(_, kind)| *kind == self.kind);
        named
            .and_then(|(prefix, _)| self.text.strip_prefix(prefix))
            .unwrap_or_default()
    }
}

fn kind_of(text: &str) -> StreamKind {
    if text == PLATFORM {
        return StreamKind::Platform;
    }
    let named = PREFIXES.iter().find(|(prefix, _)| text.starts_with(prefix));
    named.map_or(StreamKind::Other, |(_, kind)| *kind)
}

fn encoded(tenant: &TenantId) -> impl fmt::Display {
    utf8_percent_encode(tenant.as_str(), ENCODED)
}

impl FromStr for StreamName {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let what = "stream name";
        if text.is_empty() || text.len() > MAX_STREAM_NAME_BYTES {
            return Err(InvalidId::new(what, "it has 1 to 512 bytes"));
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidId::new(what, "it is printable ASCII without spaces"));
        }
        if text.starts_with('$') {
            return Err(InvalidId::new(
                what,
                "names that begin with `$` are reserved",
            ));
        }
        Ok(Self::of(text))
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(StreamName);

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use crate::ids::Timestamp;

    #[test]
    fn every_constructor_makes_a_name_that_reads_back() {
        let id: ExportId = "0198c7a1-7b0c-7abc-8def-0123456789ab".parse().unwrap();
        let digest = Digest::from_bytes([7; 32]);
        let month = Timestamp::EPOCH.month();
        for tenant in ["acme", "a-1970-01", "Ö/%25 $", &"\u{1F4E6}".repeat(32)] {
            let tenant = TenantId::new(tenant).unwrap();
            for (name, kind) in [
                (StreamName::tenant(&tenant), StreamKind::Tenant),
                (StreamName::directory(&tenant), StreamKind::Directory),
                (StreamName::access(&tenant, month), StreamKind::Access),
            ] {
                assert_eq!(name.as_str().parse(), Ok(name.clone()));
                assert_eq!(
                    (name.kind(), name.tenant_id()),
                    (kind, Some(tenant.clone()))
                );
            }
        }
        assert_eq!(StreamName::export(id).export_id(), Some(id));
        assert_eq!(StreamName::policy(&digest).policy_digest(), Some(digest));
        assert_eq!(StreamName::platform().kind(), StreamKind::Platform);
        let operators = StreamName::platform_directory();
        assert_eq!(operators.as_str().parse(), Ok(operators.clone()));
        assert_eq!(operators.kind(), StreamKind::Directory);
        assert_eq!(operators.tenant_id(), None);
        let namesake = TenantId::new("@platform").unwrap();
        assert_ne!(StreamName::directory(&namesake), operators);
        let sessions = StreamName::sessions(Timestamp::EPOCH.day());
        assert_eq!(sessions.as_str(), "sessions-1970-01-01");
        assert_eq!(sessions.kind(), StreamKind::Sessions);
    }

    #[test]
    fn names_are_bounded_plain_and_not_reserved() {
        for text in ["", "a b", "ö", "$all", "a\n", &"x".repeat(513)] {
            assert!(text.parse::<StreamName>().is_err(), "{text}");
        }
        assert_eq!(
            "x".repeat(512).parse::<StreamName>().unwrap().kind(),
            StreamKind::Other
        );
        assert_eq!("access-x".parse::<StreamName>().unwrap().tenant_id(), None);
    }
}
