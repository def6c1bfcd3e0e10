//! The directory: the one place that knows persons. Stream `directory-{tenant}`, the one kind that can be erased.
//! Operators belong to no tenant; they stand in one of their own.
//!
//! Everywhere else a person is a [`PrincipalId`]: an HMAC of the subject with the tenant's key. Once the
//! directory is erased, nobody can lead a principal id back to a person.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

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
    /// For which operator's act: the id of the event that records it. Not in version 1.
    pub event: Option<Uuid>,
    /// The words.
    pub text: String,
}

impl std::fmt::Debug for ReasonGiven {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReasonGiven")
            .field("principal", &self.principal)
            .field("export", &self.export)
            .field("event", &self.event)
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
        ReasonGiven(ReasonGiven) = "reason_given", 2;
    }
}

/// A tenant's directory, folded.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Directory {
    /// The key, once it is made.
    pub key: Option<String>,
    /// Subjects by principal id.
    pub persons: BTreeMap<PrincipalId, String>,
    /// Why exports were asked for.
    pub reasons: BTreeMap<ExportId, String>,
    /// Why operators did what they did, by the event that records it.
    pub acts: BTreeMap<Uuid, String>,
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
            DirectoryEvent::ReasonGiven(given) => match (given.event, given.export) {
                (Some(event), _) => {
                    self.acts.insert(event, given.text.clone());
                }
                (None, Some(export)) => {
                    self.reasons.insert(export, given.text.clone());
                }
                (None, None) => {}
            },
        }
        self
    }
}
