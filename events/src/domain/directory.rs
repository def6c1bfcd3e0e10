//! The directory: the one place that knows persons. Stream `directory-{tenant}`, the one kind that can be erased.
//!
//! Everywhere else a person is a [`PrincipalId`]: an HMAC of the subject with the tenant's key. Once the
//! directory is erased, nobody can lead a principal id back to a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{ExportId, PrincipalId};

/// The key that the tenant's principal ids are made with. Always the first event.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyCreated {
    /// 32 random bytes in hexadecimal.
    pub key: String,
}

impl std::fmt::Debug for KeyCreated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyCreated { key: … }")
    }
}

/// A person was seen for the first time, or under a new name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonSeen {
    /// The pseudonym.
    pub principal: PrincipalId,
    /// The subject of the person's token.
    pub subject: String,
}

impl std::fmt::Debug for PersonSeen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PersonSeen")
            .field("principal", &self.principal)
            .finish_non_exhaustive()
    }
}

/// Somebody gave a reason in their own words.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonGiven {
    /// Who.
    pub principal: PrincipalId,
    /// For which export, if for one.
    pub export: Option<ExportId>,
    /// The words.
    pub text: String,
}

impl std::fmt::Debug for ReasonGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReasonGiven")
            .field("principal", &self.principal)
            .field("export", &self.export)
            .finish_non_exhaustive()
    }
}

crate::codec::events! {
    /// Everything that is known of persons.
    DirectoryEvent in Directory {
        /// The tenant's key was made.
        KeyCreated(KeyCreated) = "key_created", 1;
        /// A person was seen.
        PersonSeen(PersonSeen) = "person_seen", 1;
        /// A reason was given.
        ReasonGiven(ReasonGiven) = "reason_given", 1;
    }
}

/// A tenant's directory, folded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// The key, once it is made.
    pub key: Option<String>,
    /// Subjects by principal id.
    pub persons: BTreeMap<PrincipalId, String>,
    /// Reasons by export.
    pub reasons: BTreeMap<ExportId, String>,
}

impl std::fmt::Debug for Directory {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Directory")
            .field("persons", &self.persons.len())
            .finish_non_exhaustive()
    }
}

impl Directory {
    /// The directory after `event`. The first key stays the key.
    #[must_use]
    pub fn evolve(mut self, event: &DirectoryEvent) -> Self {
        match event {
            DirectoryEvent::KeyCreated(created) => {
                self.key.get_or_insert_with(|| created.key.clone());
            }
            DirectoryEvent::PersonSeen(seen) => {
                self.persons
                    .insert(seen.principal.clone(), seen.subject.clone());
            }
            DirectoryEvent::ReasonGiven(given) => {
                if let Some(export) = given.export {
                    self.reasons.insert(export, given.text.clone());
                }
            }
        }
        self
    }
}
