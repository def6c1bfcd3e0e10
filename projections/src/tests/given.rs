//! Histories, as the service would write them.

use std::collections::BTreeMap;
use std::sync::Arc;

use carnet_events::codec::{self, Context, DomainEvent};
use carnet_events::domain::access::AccessEvent;
use carnet_events::domain::export::{
    CategoryResult, Completed, ExportEvent, PublishedArtifact, Started,
};
use carnet_events::domain::platform::PlatformEvent;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::domain::tenant::{ExportAdmitted, Limits, Quota, Standing, TenantEvent};
use carnet_events::envelope::Position;
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::memory::MemoryStore;
use carnet_events::store::{EventStore, Expected};
use carnet_events::stream::StreamName;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{Options, Projections};

/// Long enough for a slow machine.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_790_000_000_000 + millis)
}

pub(crate) fn export(number: u128) -> ExportId {
    ExportId::from_uuid(Uuid::from_u128(
        0x0198_0000_0000_7000_8000_0000_0000_0000 + number,
    ))
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    PrincipalId::new(name).unwrap()
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn request(tenant: &TenantId, principal: &PrincipalId) -> Request {
    Request {
        tenant: tenant.clone(),
        principal: principal.clone(),
        origin: Origin::User,
        kind: ExportKind::Account,
        categories: vec!["tickets".to_owned(), "users".to_owned()],
        scope: None,
        format: Format::Json,
        layers: vec![Layer::Gzip],
        policy_digests: BTreeMap::from([
            ("tickets".to_owned(), digest(1)),
            ("users".to_owned(), digest(2)),
        ]),
        retry_of: None,
    }
}

pub(crate) fn admitted(export: ExportId, request: &Request) -> TenantEvent {
    let quota = |accepted| Quota {
        accepted,
        window_ms: 86_400_000,
    };
    TenantEvent::ExportAdmitted(ExportAdmitted {
        export,
        request: request.clone(),
        limits: Limits {
            per_user: quota(3),
            per_tenant: quota(10),
            active_per_user: 1,
            active_per_tenant: 1,
        },
        standing: Standing { user: 0, tenant: 1 },
        exemptions: Vec::new(),
        idempotency_key: None,
        fingerprint: None,
    })
}

pub(crate) fn started(attempt: u32) -> ExportEvent {
    ExportEvent::Started(Started {
        attempt,
        node: NodeId::from_uuid(Uuid::from_u128(1)),
        incarnation: Incarnation::from_uuid(Uuid::from_u128(2)),
        lease_ms: 30_000,
        policy_digests: BTreeMap::from([("users".to_owned(), digest(2))]),
    })
}

pub(crate) fn artifact() -> PublishedArtifact {
    PublishedArtifact {
        key: "acme/1/1-a.json.gz".to_owned(),
        bytes: 1000,
        sha256: digest(3),
        media_type: "application/gzip".to_owned(),
        json_bytes: 5000,
        json_sha256: digest(4),
        checksum: digest(5),
        blocks_root: digest(6),
    }
}

pub(crate) fn completed(attempt: u32, expires_at: Option<Timestamp>) -> ExportEvent {
    let users = CategoryResult {
        rows: 42,
        read_at: time(0),
        policy_digest: digest(2),
    };
    ExportEvent::Completed(Completed {
        attempt,
        artifact: artifact(),
        categories: BTreeMap::from([("users".to_owned(), users)]),
        expires_at,
    })
}

/// A store being written to, and projections of it.
pub(crate) struct World {
    pub(crate) store: Arc<dyn EventStore>,
    pub(crate) directory: TempDir,
    last: Option<Position>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            store: Arc::new(MemoryStore::new()),
            directory: tempfile::tempdir().unwrap(),
            last: None,
        }
    }

    pub(crate) fn options(&self) -> Options {
        Options::new(self.directory.path().join("projections.db"))
    }

    pub(crate) async fn start(&self) -> Projections {
        let started = Projections::start(Arc::clone(&self.store), self.options());
        started.await.unwrap()
    }

    pub(crate) async fn write<E: DomainEvent>(
        &mut self,
        stream: StreamName,
        tenant: &TenantId,
        at: Timestamp,
        event: &E,
    ) -> Position {
        let context = Context {
            tenant: Some(tenant.clone()),
            ..Context::default()
        };
        let event = codec::encode(Uuid::new_v4(), at, event, &context).unwrap();
        let appended = self.store.append(&stream, Expected::Any, vec![event]).await;
        let position = appended.unwrap().position;
        self.last = Some(position);
        position
    }

    pub(crate) async fn export(
        &mut self,
        id: ExportId,
        tenant: &TenantId,
        at: Timestamp,
        event: ExportEvent,
    ) -> Position {
        self.write(StreamName::export(id), tenant, at, &event).await
    }

    pub(crate) async fn tenant(
        &mut self,
        tenant: &TenantId,
        at: Timestamp,
        event: TenantEvent,
    ) -> Position {
        self.write(StreamName::tenant(tenant), tenant, at, &event)
            .await
    }

    pub(crate) async fn access(
        &mut self,
        tenant: &TenantId,
        at: Timestamp,
        event: AccessEvent,
    ) -> Position {
        let stream = StreamName::access(tenant, at.month());
        self.write(stream, tenant, at, &event).await
    }

    pub(crate) async fn platform(&mut self, at: Timestamp, event: PlatformEvent) -> Position {
        let event = codec::encode(Uuid::new_v4(), at, &event, &Context::default()).unwrap();
        let stream = StreamName::platform();
        let appended = self.store.append(&stream, Expected::Any, vec![event]).await;
        let position = appended.unwrap().position;
        self.last = Some(position);
        position
    }

    /// Waits until everything written so far is in every projection.
    pub(crate) async fn settle(&self, projections: &Projections) {
        if let Some(last) = self.last {
            for name in crate::ProjectionName::ALL {
                projections.wait_for(name, last, PATIENCE).await.unwrap();
            }
        }
    }
}
