//! Finds what must not leave in free text: secrets, API keys, bearer tokens, private keys, secret-manager references, phone numbers,
//! and e-mail addresses where a column asks for it.
//!
//! Three steps, each linear in the text: a profile looks at every byte once and sends most texts on; a set of trigger words finds
//! where something may begin; a detector per trigger decides. Texts with escapes (JSON inside text, percent-encoding) or with
//! characters in disguise (full-width, zero-width, other scripts' digits) are looked at as they read as well. What must be found and what must survive stands in `vectors/`.

use std::ops::Range;

mod assigned;
mod bytes;
mod email;
mod phone;
mod profile;
mod reference;
mod token;
mod trigger;
mod unescape;
mod words;

pub use assigned::{KeyMeaning, key_meaning};
pub use profile::Profile;

/// The version of the detectors; part of every policy. To be raised with any change to what is found.
pub const VERSION: u32 = 2;

/// What was found; where finds overlap, the first of this list names the whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A PEM or `PuTTY` private key.
    PrivateKey,
    /// A key or token in a vendor's own form.
    ApiKey,
    /// A bearer token or JSON Web Token.
    BearerToken,
    /// A password or other credential, known by the word before it.
    Secret,
    /// The place of a secret in a secret manager.
    SecretReference,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

impl Kind {
    /// Every kind, in order.
    pub const ALL: [Self; 7] = [
        Self::PrivateKey,
        Self::ApiKey,
        Self::BearerToken,
        Self::Secret,
        Self::SecretReference,
        Self::Phone,
        Self::Email,
    ];

    /// The word used in artifacts and manifests.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private_key",
            Self::ApiKey => "api_key",
            Self::BearerToken => "bearer_token",
            Self::Secret => "secret",
            Self::SecretReference => "secret_reference",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }

    /// What stands in the artifact instead.
    #[must_use]
    pub const fn replacement(self) -> &'static str {
        match self {
            Self::PrivateKey => "[redacted:private_key]",
            Self::ApiKey => "[redacted:api_key]",
            Self::BearerToken => "[redacted:bearer_token]",
            Self::Secret => "[redacted:secret]",
            Self::SecretReference => "[redacted:secret_reference]",
            Self::Phone => "[redacted:phone]",
            Self::Email => "[redacted:email]",
        }
    }
}

/// How often each kind was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u64; Kind::ALL.len()]);

impl Counts {
    /// Counts one find.
    pub fn add(&mut self, kind: Kind) {
        if let Some(count) = self.0.get_mut(kind as usize) {
            *count += 1;
        }
    }

    /// The kinds that were found, and how often.
    pub fn found(&self) -> impl Iterator<Item = (Kind, u64)> {
        Kind::ALL
            .into_iter()
            .zip(self.0)
            .filter(|(_, count)| *count > 0)
    }
}

/// One find within a text.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    range: Range<usize>,
    kind: Kind,
}

/// Finds and replaces; keeps its memory from one text to the next.
#[derive(Default)]
pub struct Redactor {
    hits: Vec<Hit>,
}

impl Redactor {
    /// Writes `text` to `out`, which is empty, with every find replaced and counted. `false`, and nothing written, when there is none.
    /// `profile` must be that of the text.
    pub fn redact(
        &mut self,
        text: &str,
        profile: Profile,
        email: bool,
        counts: &mut Counts,
        out: &mut String,
    ) -> bool {
        if !profile.suspicious(email) {
            return false;
        }
        self.hits.clear();
        find(text, profile, email, &mut self.hits);
        if profile.may_read_otherwise() {
            unescape::find(text, email, &mut self.hits);
        }
        if self.hits.is_empty() {
            return false;
        }
        merge(&mut self.hits);
        let mut written = 0;
        for hit in &self.hits {
            out.push_str(text.get(written..hit.range.start).unwrap_or_default());
            out.push_str(hit.kind.replacement());
            counts.add(hit.kind);
            written = hit.range.end;
        }
        out.push_str(text.get(written..).unwrap_or_default());
        true
    }
}

/// Appends what is found in `text` as it stands.
fn find(text: &str, profile: Profile, email: bool, hits: &mut Vec<Hit>) {
    if profile.may_hold_triggers() {
        trigger::find(text.as_bytes(), hits);
    }
    if profile.may_hold_phones() {
        phone::find(text.as_bytes(), hits);
    }
    if email && profile.has_at_sign() {
        email::find(text.as_bytes(), hits);
    }
}

/// Puts the hits in order and joins those that overlap.
fn merge(hits: &mut Vec<Hit>) {
    hits.sort_unstable_by_key(|hit| (hit.range.start, hit.range.end));
    hits.dedup_by(|next, kept| {
        let overlap = next.range.start < kept.range.end;
        if overlap {
            kept.range.end = kept.range.end.max(next.range.end);
            kept.kind = kept.kind.min(next.kind);
        }
        overlap
    });
}

#[cfg(test)]
#[path = "vector_tests.rs"]
mod tests;
