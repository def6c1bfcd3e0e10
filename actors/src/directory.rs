//! Persons: who is behind a principal id, and what they said in their own words.
//!
//! A principal id is an HMAC-SHA-256 (RFC 2104) of the subject with a key of the tenant's own, cut to 128 bits. Key,
//! subjects and reasons live in `directory-{tenant}` and nowhere else, so erasing that one stream makes all the events
//! of the tenant impersonal for good. Digests of what people wrote are made with that key, too. Operators, who belong to no tenant, have a directory of their own: it says who they
//! are, whichever tenant they act on; why they did it stands in the directory of whom it concerned.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::hmac;
use carnet_events::codec::{Context, decode, encode};
use carnet_events::domain::directory::{
    Directory, DirectoryEvent, KeyCreated, PersonSeen, ReasonGiven,
};
use carnet_events::ids::{Digest, ExportId, PrincipalId, TenantId};
use carnet_events::recent::Recent;
use carnet_events::store::{Expected, StoreError};
use carnet_events::stream::StreamName;
use uuid::Uuid;

use crate::api::{Cause, Order};
use crate::error::Error;
use crate::folded::{Folded, Kept};
use crate::shared::Shared;

/// Bytes of the HMAC that make a principal id.
const PSEUDONYM_BYTES: usize = 16;

/// What the key of digests is derived with.
const DIGESTS: &[u8] = b"carnet digests 1\0";

/// Whose directory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum House {
    /// A tenant's.
    Tenant(TenantId),
    /// That of those who belong to no tenant.
    Platform,
}

impl House {
    fn stream(&self) -> StreamName {
        match self {
            Self::Tenant(tenant) => StreamName::directory(tenant),
            Self::Platform => StreamName::platform_directory(),
        }
    }

    fn tenant(&self) -> Option<&TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant),
            Self::Platform => None,
        }
    }

    /// What its pseudonyms begin with: so a reader sees that an operator acted, not one of the tenant's people.
    fn prefix(&self) -> &'static str {
        match self {
            Self::Tenant(_) => "p-",
            Self::Platform => "op-",
        }
    }
}

/// The directories, and what was asked of them lately.
pub(crate) struct Directories {
    keys: Recent<House, hmac::Key>,
    /// Persons who are in their directory for certain.
    seen: Recent<(House, String), PrincipalId>,
    folded: Kept,
    /// How many directories were forgotten. Whoever read one before, and remembers it after, would remember it for good.
    forgotten: AtomicU64,
}

impl Directories {
    pub(crate) fn new(kept: usize) -> Self {
        Self {
            keys: Recent::new(kept),
            seen: Recent::new(kept),
            folded: Kept::default(),
            forgotten: AtomicU64::new(0),
        }
    }

    /// The pseudonym of `subject`, who is in the directory when this returns.
    pub(crate) async fn principal(
        &self,
        shared: &Shared,
        house: &House,
        subject: &str,
        cause: &Cause,
    ) -> Result<PrincipalId, Error> {
        let person = (house.clone(), subject.to_owned());
        if let Some(principal) = self.seen.get(&person) {
            return Ok(principal);
        }
        let forgotten = self.forgotten();
        let key = self.key(shared, house, cause).await?;
        let principal = pseudonym(&key, house, subject)?;
        let seen = DirectoryEvent::PersonSeen(PersonSeen {
            principal: principal.clone(),
            subject: subject.to_owned(),
        });
        // The id is derived, so a person is taken up once, however often and wherever they are seen first.
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, principal.as_str().as_bytes());
        let by = context(house, Some(&principal), cause);
        append(shared, house, id, &seen, &by).await?;
        self.remember(house, forgotten, || {
            self.seen.put_unless(person, principal.clone(), |_| false);
        });
        Ok(principal)
    }

    /// A digest that only the directory's key makes. Its own key is derived, so that no digest is a pseudonym.
    pub(crate) async fn digest(
        &self,
        shared: &Shared,
        house: &House,
        content: &[u8],
    ) -> Result<Digest, Error> {
        let key = hmac::sign(&self.key(shared, house, &Cause::default()).await?, DIGESTS);
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_ref());
        let tag = hmac::sign(&key, content);
        let bytes = tag.as_ref().try_into().map_err(Error::corrupt)?;
        Ok(Digest::from_bytes(bytes))
    }

    /// Who is behind a pseudonym.
    pub(crate) async fn subject(
        &self,
        shared: &Shared,
        house: &House,
        principal: &PrincipalId,
    ) -> Result<Option<String>, Error> {
        let directory = self.load(shared, house).await?;
        Ok(directory.persons.get(principal).cloned())
    }

    /// Why an export was asked for.
    pub(crate) async fn reason(
        &self,
        shared: &Shared,
        house: &House,
        export: ExportId,
    ) -> Result<Option<String>, Error> {
        let directory = self.load(shared, house).await?;
        Ok(directory.reasons.get(&export).cloned())
    }

    /// Keeps the reason that was given for an export.
    pub(crate) async fn keep_reason(
        &self,
        shared: &Shared,
        house: &House,
        principal: &PrincipalId,
        export: ExportId,
        text: String,
        cause: &Cause,
    ) -> Result<(), Error> {
        self.key(shared, house, cause).await?;
        let given = DirectoryEvent::ReasonGiven(ReasonGiven {
            principal: principal.clone(),
            export: Some(export),
            event: None,
            text,
        });
        let id = Uuid::new_v5(&export.as_uuid(), b"reason");
        let by = context(house, Some(principal), cause);
        append(shared, house, id, &given, &by).await
    }

    /// The pseudonym of somebody who has been seen; nobody is taken up by asking.
    pub(crate) async fn person(
        &self,
        shared: &Shared,
        house: &House,
        subject: &str,
    ) -> Result<Option<PrincipalId>, Error> {
        if self.keys.get(house).is_none() && stored_key(shared, house).await?.is_none() {
            return Ok(None);
        }
        let key = self.key(shared, house, &Cause::default()).await?;
        let principal = pseudonym(&key, house, subject)?;
        let directory = self.load(shared, house).await?;
        Ok(directory
            .persons
            .contains_key(&principal)
            .then_some(principal))
    }

    /// Keeps the reason of an operator's act, told by the id that its event has or will have.
    pub(crate) async fn keep_act(
        &self,
        shared: &Shared,
        house: &House,
        order: &Order,
        export: Option<ExportId>,
        event: Uuid,
    ) -> Result<(), Error> {
        self.key(shared, house, &order.cause).await?;
        let given = DirectoryEvent::ReasonGiven(ReasonGiven {
            principal: order.by.clone(),
            export,
            event: Some(event),
            text: order.reason.clone(),
        });
        let id = Uuid::new_v5(&event, b"reason");
        let by = context(house, Some(&order.by), &order.cause);
        append(shared, house, id, &given, &by).await
    }

    /// Why an operator acted.
    pub(crate) async fn act(
        &self,
        shared: &Shared,
        house: &House,
        event: Uuid,
    ) -> Result<Option<String>, Error> {
        let directory = self.load(shared, house).await?;
        Ok(directory.acts.get(&event).cloned())
    }

    /// Lets go of what is known of an erased directory.
    pub(crate) fn forget(&self, house: &House) {
        // First, so that whoever remembers something of it after this sees that it was forgotten.
        self.forgotten.fetch_add(1, Ordering::SeqCst);
        self.let_go(house);
    }

    fn forgotten(&self) -> u64 {
        self.forgotten.load(Ordering::SeqCst)
    }

    /// Remembers what was read of a directory, unless one was forgotten since.
    fn remember(&self, house: &House, forgotten: u64, remember: impl FnOnce()) {
        remember();
        if self.forgotten() != forgotten {
            self.let_go(house);
        }
    }

    fn let_go(&self, house: &House) {
        self.keys.forget(|known| known == house);
        self.seen.forget(|(known, _)| known == house);
        self.folded.forget(house);
    }

    /// The directory's key, made when it is first needed. Of two who make it at once, one does.
    async fn key(&self, shared: &Shared, house: &House, cause: &Cause) -> Result<hmac::Key, Error> {
        if let Some(key) = self.keys.get(house) {
            return Ok(key);
        }
        let forgotten = self.forgotten();
        let hex = match stored_key(shared, house).await? {
            Some(hex) => hex,
            None => make_key(shared, house, cause).await?,
        };
        let bytes =
            hex::decode(hex).map_err(|_| Error::corrupt("a tenant's key is not hexadecimal"))?;
        let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes);
        self.remember(house, forgotten, || {
            self.keys.put_unless(house.clone(), key.clone(), |_| false);
        });
        Ok(key)
    }

    /// The directory, folded as far as it goes by now.
    pub(crate) async fn load(
        &self,
        shared: &Shared,
        house: &House,
    ) -> Result<Arc<Directory>, Error> {
        let (stream, forgotten) = (house.stream(), self.forgotten());
        let head = shared.calls.head(&stream).await?;
        // An erased one has no head any more, and what was folded from it goes.
        let known = self
            .folded
            .get(house)
            .filter(|known| known.revision <= head);
        let known = known.unwrap_or_default();
        if known.revision == head {
            return Ok(known.directory);
        }
        let mut events = shared.calls.read_after(&stream, known.revision);
        let (mut revision, mut bytes) = (known.revision, known.bytes);
        let mut directory = Arc::unwrap_or_clone(known.directory);
        while let Some(recorded) = shared.calls.next(&mut events).await? {
            let (_, event) = decode::<DirectoryEvent>(&recorded)?;
            revision = Some(recorded.revision);
            bytes += recorded.data.len();
            directory = directory.evolve(&event.what);
        }
        let directory = Arc::new(directory);
        let folded = Folded {
            revision,
            directory: Arc::clone(&directory),
            bytes,
        };
        self.remember(house, forgotten, || self.folded.put(house.clone(), folded));
        Ok(directory)
    }
}

fn pseudonym(key: &hmac::Key, house: &House, subject: &str) -> Result<PrincipalId, Error> {
    let tag = hmac::sign(key, subject.as_bytes());
    let cut = tag.as_ref().get(..PSEUDONYM_BYTES).unwrap_or_default();
    PrincipalId::new(format!("{}{}", house.prefix(), hex::encode(cut))).map_err(Error::corrupt)
}

async fn stored_key(shared: &Shared, house: &House) -> Result<Option<String>, Error> {
    let mut events = shared.calls.read_after(&house.stream(), None);
    let Some(first) = shared.calls.next(&mut events).await? else {
        return Ok(None);
    };
    match decode::<DirectoryEvent>(&first)?.1.what {
        DirectoryEvent::KeyCreated(created) => Ok(Some(created.key)),
        DirectoryEvent::PersonSeen(_) | DirectoryEvent::ReasonGiven(_) => {
            Err(Error::corrupt("a directory does not begin with its key"))
        }
    }
}

async fn make_key(shared: &Shared, house: &House, cause: &Cause) -> Result<String, Error> {
    let secret = shared.ports.ids.secret();
    let secret = secret.ok_or_else(|| Error::unavailable("this machine has no randomness"))?;
    let key = hex::encode(secret);
    let created = DirectoryEvent::KeyCreated(KeyCreated { key: key.clone() });
    let (id, by) = (shared.ports.ids.random(), context(house, None, cause));
    match try_append(shared, house, Expected::NoStream, id, &created, &by).await? {
        Ok(()) => Ok(key),
        Err(StoreError::Conflict { .. }) => stored_key(shared, house)
            .await?
            .ok_or_else(|| Error::unavailable("a directory came and went")),
        Err(error) => Err(refusal(error)),
    }
}

/// What an event of a directory goes back to: no command, but the request itself. Its ids tell nothing of a person.
fn context(house: &House, by: Option<&PrincipalId>, cause: &Cause) -> Context {
    Context {
        tenant: house.tenant().cloned(),
        principal: by.cloned(),
        causation: cause.correlation,
        correlation: cause.correlation,
        trace: cause.trace.clone(),
    }
}

async fn append(
    shared: &Shared,
    house: &House,
    id: Uuid,
    event: &DirectoryEvent,
    context: &Context,
) -> Result<(), Error> {
    let appended = try_append(shared, house, Expected::Any, id, event, context).await?;
    appended.map_err(refusal)
}

async fn try_append(
    shared: &Shared,
    house: &House,
    expected: Expected,
    id: Uuid,
    event: &DirectoryEvent,
    context: &Context,
) -> Result<Result<(), StoreError>, Error> {
    let now = shared.ports.clock.now();
    let event = encode(id, now, event, context).map_err(Error::corrupt)?;
    let stream = house.stream();
    let appended = shared.calls.record(&stream, expected, vec![event]).await;
    Ok(appended.map(|_| ()))
}

/// The one thing that a store refuses here is to write to an erased stream.
fn refusal(error: StoreError) -> Error {
    match error {
        StoreError::Refused { .. } => Error::DirectoryErased,
        StoreError::Conflict { .. }
        | StoreError::Unavailable { .. }
        | StoreError::Unknown { .. }
        | StoreError::Invalid { .. }
        | StoreError::Corrupt { .. } => error.into(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_before_a_directory_was_forgotten_is_not_remembered_after() {
        let directories = Directories::new(10);
        let house = House::Tenant(TenantId::new("acme").unwrap());
        let key = || hmac::Key::new(hmac::HMAC_SHA256, &[7; 32]);
        let remember = |forgotten| {
            directories.remember(&house, forgotten, || {
                directories.keys.put_unless(house.clone(), key(), |_| false);
            });
            directories.keys.get(&house).is_some()
        };
        let before = directories.forgotten();
        assert!(remember(before));
        directories.forget(&house);
        assert!(!remember(before));
        assert!(remember(directories.forgotten()));
    }
}
