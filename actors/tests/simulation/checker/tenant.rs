//! The books of a tenant: who was let in, and whether they should have been.

use std::collections::BTreeMap;

use carnet_events::codec::decode;
use carnet_events::domain::request::{Origin, Request};
use carnet_events::domain::tenant::{
    ExemptionGranted, ExportAdmitted, LimitKind, Quota, TenantEvent,
};
use carnet_events::envelope::Recorded;
use carnet_events::ids::{Digest, ExportId, PrincipalId, Timestamp};

use super::export::ExportBook;
use super::{Checker, Circumstances};
use crate::server::brief;
use crate::world::limits;

#[derive(Default)]
pub struct TenantBook {
    admissions: Vec<Admission>,
    pub unreleased: Vec<ExportId>,
    closed: bool,
    grace_until: Option<Timestamp>,
    purging: bool,
    purged: bool,
    /// With what is left of each.
    exemptions: BTreeMap<String, (ExemptionGranted, u32)>,
    keys: BTreeMap<Digest, ExportId>,
}

struct Admission {
    export: ExportId,
    at: Timestamp,
    request: Request,
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(what()) }
}

impl TenantBook {
    pub fn is_purging(&self) -> bool {
        self.purging
    }

    /// Whether its grace was over at `now`, and it is still there.
    pub fn is_left_over(&self, now: Timestamp) -> bool {
        !self.purged && self.grace_until.is_some_and(|end| end <= now)
    }

    /// What was admitted as `export`.
    pub fn admitted(&self, export: ExportId) -> Option<&Request> {
        let mut all = self.admissions.iter();
        all.find(|one| one.export == export).map(|one| &one.request)
    }

    pub fn exports(&self) -> impl Iterator<Item = ExportId> {
        self.admissions.iter().map(|one| one.export)
    }

    /// Accepted requests that lie in the window of one decided at `at`.
    fn within(&self, quota: Quota, at: Timestamp, of: Option<&PrincipalId>) -> usize {
        let since = at.as_millis() - i64::try_from(quota.window_ms).unwrap();
        let counts = |one: &&Admission| {
            one.request.origin == Origin::User
                && one.at.as_millis() > since
                && of.is_none_or(|person| one.request.principal == *person)
        };
        self.admissions.iter().filter(counts).count()
    }

    fn use_up(&mut self, how: Circumstances, admitted: &ExportAdmitted) -> Result<(), String> {
        for id in &admitted.exemptions {
            let exemption = self.exemptions.get_mut(id);
            let (granted, left) = exemption.ok_or_else(|| format!("no exemption {id}"))?;
            let person = granted.person.as_ref();
            let fits = *left > 0
                && how.at < granted.until
                && person.is_none_or(|person| *person == admitted.request.principal);
            require(fits, || format!("exemption {id} is of no use"))?;
            *left -= 1;
        }
        Ok(())
    }

    fn fits(&self, how: Circumstances, admitted: &ExportAdmitted) -> Result<(), String> {
        if admitted.request.origin != Origin::User {
            return Ok(());
        }
        let person = Some(&admitted.request.principal);
        for (kind, quota, of) in [
            (LimitKind::User, limits().per_user, person),
            (LimitKind::Tenant, limits().per_tenant, None),
        ] {
            let before = self.within(quota, how.at, of);
            let exempted = admitted.exemptions.iter().any(|id| {
                let exemption = self.exemptions.get(id);
                exemption.is_some_and(|(granted, _)| granted.limit == kind)
            });
            require(before < quota.accepted as usize || exempted, || {
                format!(
                    "limit {kind:?} is {}, the window holds {before}",
                    quota.accepted
                )
            })?;
        }
        Ok(())
    }
}

impl Checker {
    pub(super) fn tenant_event(
        &mut self,
        how: Circumstances,
        event: &Recorded,
    ) -> Result<(), String> {
        let id = event.stream.tenant_id().unwrap();
        let (_, decoded) = decode::<TenantEvent>(event).unwrap();
        let mut book = self.tenants.remove(&id).unwrap_or_default();
        let checked = self.in_book(&mut book, how, decoded.what);
        self.tenants.insert(id, book);
        checked
    }

    fn in_book(
        &self,
        book: &mut TenantBook,
        how: Circumstances,
        event: TenantEvent,
    ) -> Result<(), String> {
        match event {
            TenantEvent::ExportAdmitted(admitted) => self.admission(book, how, admitted),
            TenantEvent::ExportReleased(released) => {
                let before = book.unreleased.len();
                book.unreleased.retain(|one| *one != released.export);
                require(book.unreleased.len() + 1 == before, || {
                    format!("{} holds no slot", brief(released.export))
                })?;
                let export = self.exports.get(&released.export);
                let outcome = export.and_then(|export| export.outcome);
                require(outcome == Some(released.outcome), || {
                    format!("{} is {outcome:?}", brief(released.export))
                })
            }
            TenantEvent::ExemptionGranted(granted) => {
                let known = book.exemptions.contains_key(&granted.id);
                require(!known, || "a second time".to_owned())?;
                let count = granted.count;
                book.exemptions.insert(granted.id.clone(), (granted, count));
                Ok(())
            }
            TenantEvent::Closed(_) => {
                book.closed = true;
                Ok(())
            }
            TenantEvent::Reopened(_) => {
                book.closed = false;
                Ok(())
            }
            TenantEvent::Cancelled(cancelled) => {
                book.grace_until = Some(cancelled.grace_until);
                Ok(())
            }
            TenantEvent::Reactivated(_) => {
                let end = book.grace_until.take();
                require(!book.purging && end.is_some_and(|end| how.at < end), || {
                    "too late".to_owned()
                })
            }
            TenantEvent::PurgeStarted(_) => {
                let over = book.grace_until.is_some_and(|end| end <= how.at);
                require(over, || "too early".to_owned())?;
                require(!std::mem::replace(&mut book.purging, true), || {
                    "a second time".to_owned()
                })
            }
            TenantEvent::Purged(_) => {
                require(book.purging, || "it was not begun".to_owned())?;
                let gone = |export| self.exports.get(&export).is_some_and(ExportBook::is_gone);
                require(book.exports().all(gone), || "something is left".to_owned())?;
                require(!std::mem::replace(&mut book.purged, true), || {
                    "a second time".to_owned()
                })
            }
            TenantEvent::ModuleSwitched(_)
            | TenantEvent::ScheduleSet(_)
            | TenantEvent::ScheduleSkipped(_) => Ok(()),
        }
    }

    fn admission(
        &self,
        book: &mut TenantBook,
        how: Circumstances,
        admitted: ExportAdmitted,
    ) -> Result<(), String> {
        let export = admitted.export;
        require(!book.purging, || "of a tenant that is purged".to_owned())?;
        require(book.admitted(export).is_none(), || {
            "a second time".to_owned()
        })?;
        let open = !book.closed && book.grace_until.is_none_or(|end| how.at < end);
        require(open, || "it is closed".to_owned())?;
        if let Some(key) = admitted.idempotency_key {
            let known = book.keys.insert(key, export);
            require(known.is_none(), || {
                "its idempotency key was used before".to_owned()
            })?;
        }
        book.fits(how, &admitted)?;
        book.use_up(how, &admitted)?;
        book.admissions.push(Admission {
            export,
            at: how.at,
            request: admitted.request.clone(),
        });
        book.unreleased.push(export);
        self.at_once(book, &admitted.request.principal)
    }

    /// How many are under way at this very moment, whatever the tenant's stream knows of it.
    fn at_once(&self, book: &TenantBook, person: &PrincipalId) -> Result<(), String> {
        let under_way = |one: &&Admission| {
            let export = self.exports.get(&one.export);
            export.is_none_or(|export| export.outcome.is_none())
        };
        let all: Vec<_> = book.admissions.iter().filter(under_way).collect();
        let own = all.iter().filter(|one| one.request.principal == *person);
        let (own, all) = (own.count(), all.len());
        let most = (limits().active_per_user, limits().active_per_tenant);
        require(own <= most.0 as usize && all <= most.1 as usize, || {
            format!("{own} of this person and {all} of the tenant are under way")
        })
    }
}
