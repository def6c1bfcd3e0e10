//! The manifest: the artifact's last member, which says what the rest is.
//!
//! Its fields are declared in the order of RFC 8785 (UTF-16 code units), so that serialising it compactly gives its canonical form;
//! a test holds that against an independent canonicaliser.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use carnet_events::ids::{Digest, ExportId, TenantId, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The version of the artifact's form that this build writes and reads.
pub const ARTIFACT_VERSION: u32 = 1;

/// What an artifact says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The attempt that made it.
    pub attempt: u32,
    /// The version of the artifact's form.
    pub carnet: u32,
    /// What each category came to.
    pub categories: BTreeMap<JcsKey, CategoryManifest>,
    /// SHA-256 over the whole document with this field blanked; `None` is the blank.
    #[serde(with = "blank")]
    pub checksum: Option<Digest>,
    /// End of the download window; `None`: no end.
    #[serde(with = "moment::optional")]
    pub expires_at: Option<Timestamp>,
    /// The export.
    pub export_id: ExportId,
    /// When it was made.
    #[serde(with = "moment")]
    pub generated_at: Timestamp,
    /// Which kind of job: `account`, `snapshot` or `subject`.
    pub kind: String,
    /// The part of the tenant it is limited to, if any.
    pub scope: Option<String>,
    /// Whose data it is.
    pub tenant_id: TenantId,
}

/// What one category came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryManifest {
    /// Values that got a `'` so that no spreadsheet takes them for a formula.
    pub neutralised: u64,
    /// The policy that the rows were read under.
    pub policy_digest: Digest,
    /// The moment of the snapshot they were read from.
    #[serde(with = "moment")]
    pub read_at: Timestamp,
    /// What was found and replaced in free text, by kind.
    pub redacted: BTreeMap<JcsKey, u64>,
    /// Rows in the document.
    pub rows: u64,
}

impl Manifest {
    /// The canonical JSON of it.
    ///
    /// # Errors
    /// Never for a value of this type; the serialiser's signature asks for it.
    pub fn to_canonical(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(self)
    }

    /// The same with the checksum blanked, as the checksum is taken.
    #[must_use]
    pub fn blanked(&self) -> Self {
        Self {
            checksum: None,
            ..self.clone()
        }
    }
}

/// An object key that sorts as RFC 8785 asks: by UTF-16 code units.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JcsKey(String);

impl JcsKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for JcsKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

impl From<String> for JcsKey {
    fn from(key: String) -> Self {
        Self(key)
    }
}

impl Ord for JcsKey {
    fn cmp(&self, other: &Self) -> Ordering {
        utf16_cmp(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl PartialOrd for JcsKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for JcsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for JcsKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Compares two texts, given as UTF-8, by their UTF-16 code units.
///
/// The two orders differ in one place only: characters beyond U+FFFF are surrogates (D800–DFFF) in UTF-16 and so come before
/// U+E000–U+FFFF, whose UTF-8 begins with EE or EF; theirs begins with F0 or more.
#[must_use]
pub fn utf16_cmp(a: &[u8], b: &[u8]) -> Ordering {
    let raised = |byte: u8| {
        if matches!(byte, 0xEE | 0xEF) {
            byte + 0x10
        } else {
            byte
        }
    };
    match a.iter().zip(b).find(|(a, b)| a != b) {
        Some((&a, &b)) => raised(a).cmp(&raised(b)),
        None => a.len().cmp(&b.len()),
    }
}

/// A digest, or the empty text while it isn't known.
mod blank {
    use super::{Deserialize, Deserializer, Digest, Serializer};

    pub(super) fn serialize<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => serializer.collect_str(digest),
            None => serializer.serialize_str(""),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Digest>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            Ok(None)
        } else {
            text.parse().map(Some).map_err(serde::de::Error::custom)
        }
    }
}

/// RFC 3339 in UTC with milliseconds, and in no other spelling.
mod moment {
    use super::{Deserialize, Deserializer, Serializer, Timestamp};

    pub(super) fn serialize<S: Serializer>(
        time: &Timestamp,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(time)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Timestamp, D::Error> {
        parse(&String::deserialize(deserializer)?)
    }

    fn parse<E: serde::de::Error>(text: &str) -> Result<Timestamp, E> {
        let time: Timestamp = text.parse().map_err(E::custom)?;
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(E::custom("a time is RFC 3339 in UTC with milliseconds"))
        }
    }

    pub(super) mod optional {
        use super::{Deserialize, Deserializer, Serializer, Timestamp};

        pub(in super::super) fn serialize<S: Serializer>(
            time: &Option<Timestamp>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match time {
                Some(time) => serializer.collect_str(time),
                None => serializer.serialize_none(),
            }
        }

        pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Timestamp>, D::Error> {
            Option::<String>::deserialize(deserializer)?
                .map(|text| super::parse(&text))
                .transpose()
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
pub(crate) mod tests {
    use super::*;

    /// A manifest with something in every field.
    pub(crate) fn sample() -> Manifest {
        let category = |rows| CategoryManifest {
            neutralised: 2,
            policy_digest: Digest::from_bytes([7; 32]),
            read_at: Timestamp::from_millis(1_794_650_523_000),
            redacted: BTreeMap::from([("phone".into(), 3), ("api_key".into(), 1)]),
            rows,
        };
        Manifest {
            attempt: 1,
            carnet: ARTIFACT_VERSION,
            categories: BTreeMap::from([
                ("users".into(), category(2)),
                ("\u{1F600}".into(), category(0)),
                ("\u{FB33}".into(), category(1)),
            ]),
            checksum: None,
            expires_at: None,
            export_id: "0198c7a1-7b0c-7abc-8def-0123456789ab".parse().unwrap(),
            generated_at: Timestamp::from_millis(1_794_650_523_123),
            kind: "account".to_owned(),
            scope: Some("chapter \"north\"\u{7f}\u{1}".to_owned()),
            tenant_id: TenantId::new("acme").unwrap(),
        }
    }

    #[test]
    fn the_manifest_is_written_canonically() {
        let written = sample().to_canonical().unwrap();
        let independent = serde_json_canonicalizer::to_vec(
            &serde_json::from_slice::<serde_json::Value>(&written).unwrap(),
        )
        .unwrap();
        assert_eq!(
            String::from_utf8(written.clone()).unwrap(),
            String::from_utf8(independent).unwrap()
        );
        assert_eq!(
            serde_json::from_slice::<Manifest>(&written).unwrap(),
            sample()
        );
    }

    #[test]
    fn keys_sort_by_utf16_code_units() {
        let mut keys = [
            "\u{20ac}",
            "\r",
            "\u{fb33}",
            "1",
            "\u{1f600}",
            "\u{80}",
            "\u{f6}",
            "",
            "1\u{1f600}",
            "1\u{e000}",
            "\u{ffff}",
        ];
        let mut expected = keys;
        expected.sort_by(|a, b| a.encode_utf16().cmp(b.encode_utf16()));
        keys.sort_by(|a, b| utf16_cmp(a.as_bytes(), b.as_bytes()));
        assert_eq!(keys, expected);
    }

    #[test]
    fn a_time_has_one_spelling() {
        let written = String::from_utf8(sample().to_canonical().unwrap()).unwrap();
        for other in [
            "2026-11-14T10:02:03.123+00:00",
            "2026-11-14T10:02:03.123000Z",
            "2026-11-14t10:02:03.123Z",
        ] {
            let changed = written.replace("2026-11-14T10:02:03.123Z", other);
            assert_ne!(changed, written);
            assert!(
                serde_json::from_str::<Manifest>(&changed).is_err(),
                "{other}"
            );
        }
    }
}
