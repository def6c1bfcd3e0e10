//! One event of every type, for the golden files.

use std::collections::BTreeMap;

use carnet_events::domain::access::*;
use carnet_events::domain::directory::*;
use carnet_events::domain::export::*;
use carnet_events::domain::platform::*;
use carnet_events::domain::policy::*;
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request, Scope};
use carnet_events::domain::session::*;
use carnet_events::domain::tenant::*;
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use uuid::Uuid;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn export_id() -> ExportId {
    ExportId::from_uuid(Uuid::from_u128(0x0198_c7a1_7b0c_7abc_8def_0123_4567_89ab))
}

fn node() -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(1))
}

fn incarnation() -> Incarnation {
    Incarnation::from_uuid(Uuid::from_u128(2))
}

fn who() -> PrincipalId {
    PrincipalId::new("p-0123456789abcdef0123456789abcdef").unwrap()
}

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn policies() -> BTreeMap<String, Digest> {
    [
        ("audit_events".to_owned(), digest(1)),
        ("users".to_owned(), digest(2)),
    ]
    .into()
}

fn request() -> Request {
    Request {
        tenant: TenantId::new("acme").unwrap(),
        principal: who(),
        origin: Origin::User,
        kind: ExportKind::Account,
        categories: vec!["audit_events".to_owned(), "users".to_owned()],
        scope: Some(Scope {
            id: "chapter-7".to_owned(),
        }),
        format: Format::Json,
        layers: vec![Layer::Gzip],
        policy_digests: policies(),
        retry_of: Some(export_id()),
    }
}

fn parameters() -> Parameters {
    [
        ("category".to_owned(), "users".to_owned()),
        ("column".to_owned(), "nickname".to_owned()),
    ]
    .into()
}

pub(crate) fn export() -> Vec<ExportEvent> {
    let artifact = PublishedArtifact {
        key: "acme/export/1-claim.json.gz".to_owned(),
        bytes: 1234,
        sha256: digest(3),
        media_type: "application/gzip".to_owned(),
        json_bytes: 56_789,
        json_sha256: digest(4),
        checksum: digest(5),
        blocks_root: digest(6),
    };
    let result = CategoryResult {
        rows: 42,
        read_at: at(3),
        policy_digest: digest(2),
    };
    vec![
        ExportEvent::Requested(request()),
        ExportEvent::Started(Started {
            attempt: 1,
            node: node(),
            incarnation: incarnation(),
            lease_ms: 30_000,
            policy_digests: policies(),
        }),
        ExportEvent::Progressed(Progressed {
            attempt: 1,
            phase: Phase::Reading,
            category: Some("users".to_owned()),
            rows: 41,
            bytes: 5000,
        }),
        ExportEvent::AttemptFailed(AttemptFailed {
            attempt: 1,
            code: "source_unavailable".to_owned(),
            parameters: Parameters::new(),
            retry_at: at(10),
        }),
        ExportEvent::AttemptLost(AttemptLost {
            attempt: 1,
            retry_at: Some(at(20)),
        }),
        ExportEvent::HandedBack(HandedBack { attempt: 1 }),
        ExportEvent::Completed(Completed {
            attempt: 1,
            artifact,
            categories: [("users".to_owned(), result)].into(),
            expires_at: Some(at(604_800_000)),
        }),
        ExportEvent::Failed(Failed {
            attempt: Some(1),
            code: "schema_drift".to_owned(),
            parameters: parameters(),
            principal: None,
        }),
        ExportEvent::Requeued(Requeued {
            attempt: 1,
            principal: who(),
        }),
        ExportEvent::Cancelled(Cancelled {
            principal: who(),
            code: "requested".to_owned(),
        }),
        ExportEvent::Expired(Expired {}),
        ExportEvent::Held(Held { principal: who() }),
        ExportEvent::HoldReleased(HoldReleased { principal: who() }),
        ExportEvent::DeletionStarted(DeletionStarted {
            cause: DeletionCause::Expired,
        }),
        ExportEvent::ArtifactDeleted(ArtifactDeleted {
            key: "acme/export/1-claim.json.gz".to_owned(),
            sha256: digest(3),
            bytes: 1234,
            cause: DeletionCause::Expired,
        }),
        ExportEvent::ArtifactDamaged(ArtifactDamaged {
            block: Some(0),
            document: false,
        }),
        ExportEvent::ArtifactRestored(ArtifactRestored {}),
        ExportEvent::LinksRevoked(LinksRevoked {
            principal: who(),
            of: Some(who()),
        }),
    ]
}

pub(crate) fn tenant() -> Vec<TenantEvent> {
    let quota = |accepted| Quota {
        accepted,
        window_ms: 86_400_000,
    };
    let limits = Limits {
        per_user: quota(3),
        per_tenant: quota(10),
        active_per_user: 1,
        active_per_tenant: 1,
    };
    vec![
        TenantEvent::ExportAdmitted(ExportAdmitted {
            export: export_id(),
            request: request(),
            limits,
            standing: Standing { user: 2, tenant: 9 },
            exemptions: vec!["support-1".to_owned()],
            idempotency_key: Some(digest(7)),
            fingerprint: Some(digest(8)),
        }),
        TenantEvent::ExportReleased(ExportReleased {
            export: export_id(),
            outcome: Outcome::Completed,
        }),
        TenantEvent::ExemptionGranted(ExemptionGranted {
            id: "support-1".to_owned(),
            limit: LimitKind::User,
            count: 1,
            until: at(1),
            principal: who(),
            person: None,
        }),
        TenantEvent::Closed(Closed { principal: who() }),
        TenantEvent::Reopened(Reopened { principal: who() }),
        TenantEvent::Cancelled(TenantCancelled {
            grace_until: at(9),
            principal: who(),
        }),
        TenantEvent::Reactivated(Reactivated { principal: who() }),
        TenantEvent::PurgeStarted(PurgeStarted {}),
        TenantEvent::Purged(Purged {}),
        TenantEvent::ModuleSwitched(ModuleSwitched {
            module: "support".to_owned(),
            on: true,
            principal: who(),
        }),
        TenantEvent::ScheduleSet(ScheduleSet {
            preset: Some("daily-02:00".to_owned()),
            principal: who(),
        }),
        TenantEvent::ScheduleSkipped(ScheduleSkipped {
            due_at: at(5),
            code: "export_in_progress".to_owned(),
        }),
    ]
}

pub(crate) fn access() -> Vec<AccessEvent> {
    let export = export_id();
    vec![
        AccessEvent::ExportRefused(ExportRefused {
            principal: who(),
            code: "limit_user".to_owned(),
            categories: Vec::new(),
            next_allowed_at: Some(at(1)),
        }),
        AccessEvent::AccessDenied(AccessDenied {
            principal: who(),
            route: "get_export".to_owned(),
        }),
        AccessEvent::LinkIssued(LinkIssued {
            principal: who(),
            export,
            link: "link-1".to_owned(),
            expires_at: at(900_000),
        }),
        AccessEvent::LinkRevoked(LinkRevoked {
            principal: who(),
            export,
            link: "link-1".to_owned(),
        }),
        AccessEvent::Downloaded(Downloaded {
            principal: who(),
            export,
            representation: "json".to_owned(),
            link: None,
            partial: false,
        }),
        AccessEvent::DownloadEnded(DownloadEnded {
            principal: who(),
            export,
            bytes: 1234,
            complete: true,
        }),
        AccessEvent::DownloadBlocked(DownloadBlocked {
            principal: who(),
            export,
            code: "access_changed".to_owned(),
            categories: vec!["users".to_owned()],
        }),
        AccessEvent::AuditRead(AuditRead {
            principal: who(),
            export: None,
            format: "csv".to_owned(),
            filters: [("type".to_owned(), "downloaded".to_owned())].into(),
        }),
        AccessEvent::Repeated(Repeated {
            principal: who(),
            of: "export_refused".to_owned(),
            code: Some("limit_user".to_owned()),
            export: None,
            count: 49,
            from: at(1),
            to: at(2),
        }),
    ]
}

pub(crate) fn policy() -> Vec<PolicyEvent> {
    vec![PolicyEvent::Published(PolicyPublished {
        digest: digest(2),
        category: "users".to_owned(),
        document: r#"{"category":"users"}"#.to_owned(),
    })]
}

pub(crate) fn directory() -> Vec<DirectoryEvent> {
    vec![
        DirectoryEvent::KeyCreated(KeyCreated {
            key: "00".repeat(32),
        }),
        DirectoryEvent::PersonSeen(PersonSeen {
            principal: who(),
            subject: "user-7".to_owned(),
        }),
        DirectoryEvent::ReasonGiven(ReasonGiven {
            principal: who(),
            export: Some(export_id()),
            event: None,
            text: "yearly review".to_owned(),
        }),
    ]
}

pub(crate) fn platform() -> Vec<PlatformEvent> {
    vec![
        PlatformEvent::LogCreated(LogCreated {
            log: Uuid::from_u128(3),
        }),
        PlatformEvent::ConfigurationApplied(ConfigurationApplied {
            node: node(),
            incarnation: incarnation(),
            digest: digest(9),
            version: "0.1.0".to_owned(),
            policies: BTreeMap::new(),
        }),
        PlatformEvent::KeysApplied(KeysApplied {
            node: node(),
            keys: vec![digest(10), digest(11)],
        }),
        PlatformEvent::StoragesUsed(StoragesUsed {
            node: node(),
            storages: [digest(12), digest(13)].into(),
        }),
        PlatformEvent::IntakePaused(Intake { principal: who() }),
        PlatformEvent::IntakeResumed(Intake { principal: who() }),
        PlatformEvent::DrainStarted(Drain {
            node: node(),
            principal: who(),
        }),
        PlatformEvent::DrainEnded(Drain {
            node: node(),
            principal: who(),
        }),
        PlatformEvent::RebuildRequested(RebuildRequested {
            projection: "exports".to_owned(),
            node: node(),
            principal: who(),
        }),
        PlatformEvent::CopyAbandoned(CopyAbandoned {
            place: "postgres://db/carnet?schema=carnet".to_owned(),
        }),
    ]
}

pub(crate) fn session() -> Vec<SessionEvent> {
    let session = Uuid::from_u128(4);
    vec![
        SessionEvent::Started(SessionStarted {
            session,
            by: SignInBy::Oidc,
        }),
        SessionEvent::Ended(SessionEnded {
            session,
            cause: EndCause::SignedOut,
        }),
    ]
}
