//! Histories of two tenants: exports with various fates, records of access, and what operators did.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::codec::{Context, DomainEvent, encode};
use carnet_events::domain::access::{AccessEvent, AuditRead, Downloaded, ExportRefused, Repeated};
use carnet_events::domain::export::{
    Cancelled, CategoryResult, Completed, ExportEvent, Failed, HandedBack, Phase, Progressed,
    PublishedArtifact, Started,
};
use carnet_events::domain::platform::{ConfigurationApplied, Drain, Intake, PlatformEvent};
use carnet_events::domain::request::{ExportKind, Format, Origin, Request};
use carnet_events::domain::tenant::{
    Closed, ExemptionGranted, ExportAdmitted, LimitKind, Limits, Quota, Reopened, Standing,
    TenantEvent,
};
use carnet_events::envelope::NewEvent;
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::{EventStore, Expected};
use carnet_events::stream::StreamName;
use uuid::Uuid;

/// How many fates there are.
pub(crate) const FATES: u8 = 11;

/// The beginning of all histories, a Friday morning.
pub(crate) fn begin() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

pub(crate) fn tenant(number: usize) -> TenantId {
    TenantId::new(["acme", "globex"][number % 2]).unwrap()
}

pub(crate) fn principal(number: usize) -> PrincipalId {
    PrincipalId::new(format!("p-{}", number % 3)).unwrap()
}

pub(crate) fn export(number: usize) -> ExportId {
    ExportId::from_uuid(Uuid::from_u128(1 + number as u128))
}

fn node(number: usize) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(7 + number as u128 % 2))
}

fn process(number: usize) -> Incarnation {
    Incarnation::from_uuid(Uuid::from_u128(100 + number as u128 / 4))
}

/// Writes one chapter: what became of the export with this number, and what else happened.
pub(crate) async fn write(store: &dyn EventStore, number: usize, fate: u8) {
    let mut chapter = Chapter {
        number,
        tenant: tenant(number),
        principal: principal(number),
        at: begin().plus(Duration::from_secs(number as u64 * 2900)),
        events: Vec::new(),
    };
    chapter.tell(fate % FATES);
    for (stream, event) in chapter.events {
        let appended = store.append(&stream, Expected::Any, vec![event]).await;
        appended.unwrap();
    }
}

struct Chapter {
    number: usize,
    tenant: TenantId,
    principal: PrincipalId,
    at: Timestamp,
    events: Vec<(StreamName, NewEvent)>,
}

impl Chapter {
    fn push<E: DomainEvent>(&mut self, stream: StreamName, seconds: u64, event: &E) {
        self.at = self.at.plus(Duration::from_secs(seconds));
        let context = Context {
            tenant: Some(self.tenant.clone()),
            principal: self
                .events
                .len()
                .is_multiple_of(2)
                .then(|| self.principal.clone()),
            ..Context::default()
        };
        let id = ((self.number as u128 + 1) << 32) + self.events.len() as u128;
        let event = encode(Uuid::from_u128(id), self.at, event, &context).unwrap();
        self.events.push((stream, event));
    }

    fn export(&mut self, seconds: u64, event: ExportEvent) {
        self.push(StreamName::export(export(self.number)), seconds, &event);
    }

    fn of_tenant(&mut self, seconds: u64, event: TenantEvent) {
        self.push(StreamName::tenant(&self.tenant.clone()), seconds, &event);
    }

    fn access(&mut self, seconds: u64, event: AccessEvent) {
        let stream = StreamName::access(&self.tenant, self.at.month());
        self.push(stream, seconds, &event);
    }

    fn platform(&mut self, seconds: u64, event: PlatformEvent) {
        self.push(StreamName::platform(), seconds, &event);
    }

    fn tell(&mut self, fate: u8) {
        match fate {
            9 => return self.operators(),
            10 => return self.switches(),
            _ => {}
        }
        let request = self.request();
        self.admitted(&request);
        self.export(1, ExportEvent::Requested(request));
        match fate {
            0 => {}
            1 => {
                self.started(1);
                self.progressed();
            }
            2 => {
                self.started(1);
                self.export(5, ExportEvent::HandedBack(HandedBack { attempt: 1 }));
                self.started(2);
            }
            3 => {
                self.started(1);
                self.failed();
            }
            4 => {
                let principal = self.principal.clone();
                let code = "requested".to_owned();
                self.export(60, ExportEvent::Cancelled(Cancelled { principal, code }));
            }
            5 => self.refused(),
            6 => self.audit_read(),
            _ => {
                self.started(1);
                self.progressed();
                self.completed();
                self.downloaded(fate == 8);
            }
        }
    }

    fn request(&self) -> Request {
        Request {
            tenant: self.tenant.clone(),
            principal: self.principal.clone(),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories: vec!["users".to_owned()],
            scope: None,
            format: Format::Json,
            layers: Vec::new(),
            policy_digests: Default::default(),
            retry_of: None,
        }
    }

    fn admitted(&mut self, request: &Request) {
        let quota = Quota {
            accepted: 3,
            window_ms: 86_400_000,
        };
        let admitted = ExportAdmitted {
            export: export(self.number),
            request: request.clone(),
            limits: Limits {
                per_user: quota,
                per_tenant: quota,
                active_per_user: 1,
                active_per_tenant: 1,
            },
            standing: Standing { user: 0, tenant: 1 },
            exemptions: vec!["e-1".to_owned()],
            idempotency_key: None,
            fingerprint: None,
        };
        self.of_tenant(1, TenantEvent::ExportAdmitted(admitted));
    }

    fn started(&mut self, attempt: u32) {
        let started = Started {
            attempt,
            node: node(self.number),
            incarnation: process(self.number),
            lease_ms: 30_000,
            policy_digests: Default::default(),
        };
        self.export(20, ExportEvent::Started(started));
    }

    fn progressed(&mut self) {
        let progressed = Progressed {
            attempt: 1,
            phase: Phase::Reading,
            category: Some("users".to_owned()),
            rows: 7,
            bytes: 70,
        };
        self.export(10, ExportEvent::Progressed(progressed));
    }

    fn failed(&mut self) {
        let failed = Failed {
            attempt: Some(1),
            code: "schema_drift".to_owned(),
            parameters: Default::default(),
            principal: None,
        };
        self.export(3, ExportEvent::Failed(failed));
    }

    fn completed(&mut self) {
        let digest = Digest::from_bytes([1; 32]);
        let users = CategoryResult {
            rows: self.number as u64 * 10,
            read_at: self.at,
            policy_digest: digest,
        };
        let artifact = PublishedArtifact {
            key: format!("file-{}", self.number),
            bytes: 1000,
            sha256: digest,
            media_type: "application/json".to_owned(),
            json_bytes: 1000,
            json_sha256: digest,
            checksum: digest,
            blocks_root: digest,
        };
        let completed = Completed {
            attempt: 1,
            artifact,
            categories: [("users".to_owned(), users)].into(),
            expires_at: Some(self.at.plus(Duration::from_secs(7200))),
        };
        self.export(90, ExportEvent::Completed(completed));
    }

    fn downloaded(&mut self, often: bool) {
        let (principal, export) = (self.principal.clone(), export(self.number));
        let downloaded = Downloaded {
            principal: principal.clone(),
            export,
            representation: "json".to_owned(),
            link: None,
            partial: false,
        };
        self.access(30, AccessEvent::Downloaded(downloaded));
        if often {
            let repeated = Repeated {
                principal,
                of: "downloaded".to_owned(),
                code: None,
                export: Some(export),
                count: 12,
                from: self.at,
                to: self.at,
            };
            self.access(60, AccessEvent::Repeated(repeated));
        }
    }

    fn refused(&mut self) {
        let refused = ExportRefused {
            principal: self.principal.clone(),
            code: "limit_user".to_owned(),
            categories: Vec::new(),
            next_allowed_at: Some(self.at),
        };
        self.access(2, AccessEvent::ExportRefused(refused));
    }

    fn audit_read(&mut self) {
        let read = AuditRead {
            principal: self.principal.clone(),
            export: None,
            format: "csv".to_owned(),
            filters: Default::default(),
        };
        self.access(2, AccessEvent::AuditRead(read));
    }

    /// Operators close the tenant, or open it again, and grant an exemption.
    fn operators(&mut self) {
        let principal = self.principal.clone();
        match self.number % 4 {
            0 | 1 => self.of_tenant(1, TenantEvent::Closed(Closed { principal })),
            _ => self.of_tenant(1, TenantEvent::Reopened(Reopened { principal })),
        }
        let granted = ExemptionGranted {
            id: format!("e-{}", self.number % 3),
            limit: LimitKind::User,
            count: 2,
            until: self.at.plus(Duration::from_secs(3600)),
            principal: self.principal.clone(),
            person: None,
        };
        self.of_tenant(5, TenantEvent::ExemptionGranted(granted));
    }

    /// A process starts, intake is paused or resumed, a node drained or not.
    fn switches(&mut self) {
        let applied = ConfigurationApplied {
            node: node(self.number),
            incarnation: process(self.number),
            digest: Digest::from_bytes([2; 32]),
            version: format!("0.1.{}", self.number),
            policies: BTreeMap::new(),
        };
        self.platform(1, PlatformEvent::ConfigurationApplied(applied));
        let principal = self.principal.clone();
        let by = Intake { principal };
        let drain = Drain {
            node: node(self.number / 2),
            principal: self.principal.clone(),
        };
        match self.number % 4 < 2 {
            true => {
                self.platform(2, PlatformEvent::IntakePaused(by));
                self.platform(2, PlatformEvent::DrainStarted(drain));
            }
            false => {
                self.platform(2, PlatformEvent::IntakeResumed(by));
                self.platform(2, PlatformEvent::DrainEnded(drain));
            }
        }
    }
}
