//! Linearizable reads: they rest on the stream's head, not on the actors.

use std::collections::BTreeMap;
use std::sync::Arc;

use carnet_events::codec::decode;
use carnet_events::domain::Decider;
use carnet_events::domain::export::{Export, ExportDecider, ExportEvent};
use carnet_events::domain::tenant::window::windows;
use carnet_events::domain::tenant::{Limits, Service, blocked_by};
use carnet_events::envelope::Metadata;
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use carnet_events::stream::StreamName;

use super::System;
use crate::api::{ExportView, HistoryEntry, Standing, TenantView};
use crate::error::Error;

impl System {
    /// The export as its stream says, linearizable: every event acknowledged before the call is in it. About a
    /// microsecond when nothing changed since the last call, and the store knows its heads.
    ///
    /// # Errors
    /// When the store can't be read. An export that doesn't exist is `None`.
    pub async fn export(&self, id: ExportId) -> Result<Option<ExportView>, Error> {
        let shared = self.shared();
        let stream = match self.inner.views.get(&id) {
            Some((stream, view)) => {
                if shared.calls.head(&stream).await? == Some(view.revision) {
                    return Ok(Some(view));
                }
                stream
            }
            None => StreamName::export(id),
        };
        let fold = shared.exports.load(&stream).await?;
        let (Some(export), Some(revision)) = (fold.state.export(), fold.revision) else {
            return Ok(None);
        };
        let view = ExportView {
            id,
            export: Arc::new(Export::clone(export)),
            revision,
        };
        let kept = (stream, view.clone());
        self.inner
            .views
            .put_unless(id, kept, |(_, known)| known.revision > revision);
        Ok(Some(view))
    }

    /// The tenant as its stream says, linearizable.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn tenant(&self, id: &TenantId) -> Result<TenantView, Error> {
        let fold = self.shared().tenants.load(&StreamName::tenant(id)).await?;
        Ok(TenantView {
            tenant: fold.state,
            revision: fold.revision,
        })
    }

    /// How the limits stand for a person, and what a request would be refused for now, categories aside.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn standing(
        &self,
        tenant: &TenantId,
        principal: &PrincipalId,
        limits: &Limits,
    ) -> Result<Standing, Error> {
        let shared = self.shared();
        let view = self.tenant(tenant).await?;
        let mut settled = BTreeMap::new();
        let mut under_way = Vec::new();
        for id in view.tenant.active.keys() {
            let Some(found) = self.export(*id).await? else {
                continue;
            };
            match found.export.outcome() {
                Some(outcome) => drop(settled.insert(*id, outcome)),
                None => under_way.push(found),
            }
        }
        let verified = shared.ports.runner.storage_verified(tenant).await;
        let paused = self.platform().await?.intake_paused.is_some();
        let now = shared.ports.clock.now();
        let service = Service {
            intake_paused: paused,
            storage_verified: verified,
        };
        let blocked_by = blocked_by(&view.tenant, limits, principal, service, &settled, now);
        Ok(Standing {
            windows: windows(&view.tenant, limits, principal, now),
            blocked_by,
            under_way,
            view,
        })
    }

    /// The revision of the last event of an export that was recorded up to `at`; `None` when it didn't exist then.
    ///
    /// # Errors
    /// When the store can't be read.
    pub async fn revision_at(&self, id: ExportId, at: Timestamp) -> Result<Option<u64>, Error> {
        let calls = &self.shared().calls;
        let mut events = calls.read_after(&StreamName::export(id), None);
        let mut last = None;
        while let Some(recorded) = calls.next(&mut events).await? {
            let metadata = Metadata::from_bytes(&recorded.metadata).map_err(Error::corrupt)?;
            if metadata.recorded_at > at {
                break;
            }
            last = Some(recorded.revision);
        }
        Ok(last)
    }

    /// At most `max` events of an export after revision `after`, each with the state after it.
    ///
    /// # Errors
    /// When the store can't be read. An export that doesn't exist has no events.
    pub async fn history(
        &self,
        id: ExportId,
        after: Option<u64>,
        max: usize,
    ) -> Result<Vec<HistoryEntry>, Error> {
        let calls = &self.shared().calls;
        let mut events = calls.read_after(&StreamName::export(id), None);
        let mut state = ExportDecider::initial();
        let mut entries = Vec::new();
        while entries.len() < max {
            let Some(recorded) = calls.next(&mut events).await? else {
                break;
            };
            let (metadata, event) = decode::<ExportEvent>(&recorded)?;
            state = ExportDecider::evolve(state, &event);
            let wanted = after.is_none_or(|after| recorded.revision > after);
            if let (true, Some(export)) = (wanted, state.export()) {
                entries.push(HistoryEntry {
                    revision: recorded.revision,
                    id: recorded.id,
                    metadata,
                    event: event.what,
                    after: Arc::new(Export::clone(export)),
                });
            }
        }
        Ok(entries)
    }
}
