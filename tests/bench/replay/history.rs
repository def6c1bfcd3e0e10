//! A log as a service would have written it, a thousand exports a day: lives of some eleven events, with refusals,
//! failures and cancellations among them, downloads, and the file deleted after its week.

use std::collections::BTreeMap;
use std::time::Duration;

use carnet_events::codec::{self, Context, DomainEvent};
use carnet_events::domain::access::{AccessEvent, DownloadEnded, Downloaded, ExportRefused};
use carnet_events::domain::export::{
    ArtifactDeleted, Cancelled, CategoryResult, Completed, DeletionCause, DeletionStarted, Expired,
    ExportEvent, Failed, Outcome, Phase, Progressed, PublishedArtifact, Started,
};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::domain::tenant::{
    ExportAdmitted, ExportReleased, Limits, Quota, Standing, TenantEvent,
};
use carnet_events::envelope::NewEvent;
use carnet_events::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};
use carnet_events::store::{EventStore, Expected};
use carnet_events::stream::{StreamKind, StreamName};
use futures::future::join_all;
use uuid::Uuid;

/// How long after one export the next is asked for.
pub(crate) const LIFE_EVERY: Duration = Duration::from_secs(86);
const TTL: Duration = Duration::from_secs(7 * 24 * 3600);
/// Events appended at the same time.
const WAVE: usize = 2000;

/// Whose exports they are, and when they begin.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setting {
    pub(crate) tenants: u64,
    pub(crate) begin: Timestamp,
}

type Event = (Timestamp, StreamName, NewEvent);

/// Writes `count` events.
pub(crate) async fn write(store: &dyn EventStore, setting: Setting, count: usize) {
    let mut all: Vec<Event> = Vec::new();
    let mut life = 0;
    // Lives overlap by a week: enough of them that the first `count` events are all there.
    while life * 9 < count as u64 + 60_000 {
        all.extend(Life::new(setting, life).events());
        life += 1;
    }
    all.sort_by_key(|(at, _, _)| *at);
    all.truncate(count);
    append(store, all).await;
}

/// Writes everything about `count` exports.
pub(crate) async fn write_lives(store: &dyn EventStore, setting: Setting, count: u64) {
    let lives = (0..count).flat_map(|life| Life::new(setting, life).events());
    let mut all: Vec<Event> = lives.collect();
    all.sort_by_key(|(at, _, _)| *at);
    append(store, all).await;
}

async fn append(store: &dyn EventStore, all: Vec<Event>) {
    let mut all = all.into_iter().peekable();
    while all.peek().is_some() {
        let mut streams: Vec<(StreamName, Vec<NewEvent>)> = Vec::new();
        for (_, stream, event) in all.by_ref().take(WAVE) {
            match streams.iter_mut().find(|(known, _)| *known == stream) {
                Some((_, events)) => events.push(event),
                None => streams.push((stream, vec![event])),
            }
        }
        let appends = streams
            .iter()
            .map(|(stream, events)| store.append(stream, Expected::Any, events.clone()));
        for appended in join_all(appends).await {
            appended.expect("appended");
        }
    }
}

/// One export, from the request to the receipt for its file.
struct Life {
    number: u64,
    id: ExportId,
    tenant: TenantId,
    principal: PrincipalId,
    begin: Timestamp,
    events: Vec<Event>,
}

impl Life {
    fn new(setting: Setting, number: u64) -> Self {
        let tenant = number % setting.tenants;
        let begin = setting
            .begin
            .plus(LIFE_EVERY * u32::try_from(number).unwrap_or(u32::MAX));
        let millis = u128::from(begin.as_millis().unsigned_abs());
        let random = mix(number);
        let id = (millis << 80) | (7 << 76) | (2 << 62) | (u128::from(random) >> 2);
        Self {
            number,
            id: ExportId::from_uuid(Uuid::from_u128(id)),
            tenant: TenantId::new(format!("tenant-{tenant:04}")).expect("an id"),
            principal: PrincipalId::new(format!("{:064x}", mix(tenant * 7 + random % 7)))
                .expect("an id"),
            begin,
            events: Vec::new(),
        }
    }

    fn events(mut self) -> Vec<Event> {
        if self.number % 20 == 3 {
            self.refused(0);
        }
        let request = self.request();
        self.admitted(1, &request);
        self.export(2, ExportEvent::Requested(request));
        if self.number % 50 == 7 {
            let principal = self.principal.clone();
            let code = "by_requester".to_owned();
            self.export(900, ExportEvent::Cancelled(Cancelled { principal, code }));
            self.released(905, Outcome::Cancelled);
            return self.events;
        }
        let started = self.started();
        self.export(20, started);
        self.export(10_000, progressed());
        if self.number % 33 == 5 {
            let failed = Failed {
                attempt: Some(1),
                code: "schema_drift".to_owned(),
                parameters: BTreeMap::from([("category".to_owned(), "users".to_owned())]),
                principal: None,
            };
            self.export(12_000, ExportEvent::Failed(failed));
            self.released(12_005, Outcome::Failed);
            return self.events;
        }
        self.finished();
        self.events
    }

    /// Completed, downloaded, expired, deleted.
    fn finished(&mut self) {
        let expires_at = self.at(14_000).plus(TTL);
        let artifact = self.artifact();
        let completed = Completed {
            attempt: 1,
            artifact: artifact.clone(),
            categories: categories()
                .into_iter()
                .map(|(id, digest)| {
                    let result = CategoryResult {
                        rows: mix(self.number) % 100_000,
                        read_at: self.at(30),
                        policy_digest: digest,
                    };
                    (id, result)
                })
                .collect(),
            expires_at: Some(expires_at),
        };
        self.export(14_000, ExportEvent::Completed(completed));
        self.released(14_005, Outcome::Completed);
        self.downloaded(60_000);
        let week = 14_000 + i64::try_from(TTL.as_millis()).unwrap_or(i64::MAX);
        self.export(week, ExportEvent::Expired(Expired {}));
        let cause = DeletionCause::Expired;
        let hour = 3_600_000;
        let started = ExportEvent::DeletionStarted(DeletionStarted { cause });
        self.export(week + hour, started);
        let deleted = ArtifactDeleted {
            key: artifact.key,
            sha256: artifact.sha256,
            bytes: artifact.bytes,
            cause,
        };
        self.export(week + hour + 15, ExportEvent::ArtifactDeleted(deleted));
    }

    fn at(&self, millis: i64) -> Timestamp {
        Timestamp::from_millis(self.begin.as_millis() + millis)
    }

    fn push<E: DomainEvent>(&mut self, millis: i64, stream: StreamName, event: &E) {
        let at = self.at(millis);
        let id = Uuid::from_u128((u128::from(mix(self.number)) << 64) | self.events.len() as u128);
        let by_a_person = match event.kind() {
            "export_admitted" | "requested" => true,
            _ => E::STREAM == StreamKind::Access,
        };
        let context = Context {
            tenant: Some(self.tenant.clone()),
            principal: by_a_person.then(|| self.principal.clone()),
            causation: Some(id),
            correlation: Some(id),
            trace: Some(format!("{:032x}", mix(self.number))),
        };
        let event = codec::encode(id, at, event, &context).expect("an event");
        self.events.push((at, stream, event));
    }

    fn export(&mut self, millis: i64, event: ExportEvent) {
        self.push(millis, StreamName::export(self.id), &event);
    }

    fn refused(&mut self, millis: i64) {
        let refused = AccessEvent::ExportRefused(ExportRefused {
            principal: self.principal.clone(),
            code: "limit_user".to_owned(),
            categories: Vec::new(),
            next_allowed_at: Some(self.at(86_400_000)),
        });
        self.access(millis, &refused);
    }

    fn downloaded(&mut self, millis: i64) {
        let downloaded = AccessEvent::Downloaded(Downloaded {
            principal: self.principal.clone(),
            export: self.id,
            representation: "json".to_owned(),
            link: None,
            partial: false,
        });
        self.access(millis, &downloaded);
        let ended = AccessEvent::DownloadEnded(DownloadEnded {
            principal: self.principal.clone(),
            export: self.id,
            bytes: 1_234_567,
            complete: true,
        });
        self.access(millis + 2_000, &ended);
    }

    fn access(&mut self, millis: i64, event: &AccessEvent) {
        let stream = StreamName::access(&self.tenant, self.at(millis).month());
        self.push(millis, stream, event);
    }

    fn admitted(&mut self, millis: i64, request: &Request) {
        let quota = |accepted| Quota {
            accepted,
            window_ms: 86_400_000,
        };
        let admitted = TenantEvent::ExportAdmitted(ExportAdmitted {
            export: self.id,
            request: request.clone(),
            limits: Limits {
                per_user: quota(3),
                per_tenant: quota(10),
                active_per_user: 1,
                active_per_tenant: 1,
            },
            standing: Standing { user: 0, tenant: 1 },
            exemptions: Vec::new(),
            idempotency_key: Some(digest(self.number)),
            fingerprint: Some(digest(self.number + 1)),
        });
        self.push(millis, StreamName::tenant(&self.tenant), &admitted);
    }

    fn released(&mut self, millis: i64, outcome: Outcome) {
        let export = self.id;
        let released = TenantEvent::ExportReleased(ExportReleased { export, outcome });
        self.push(millis, StreamName::tenant(&self.tenant), &released);
    }

    fn request(&self) -> Request {
        Request {
            tenant: self.tenant.clone(),
            principal: self.principal.clone(),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories: categories().into_keys().collect(),
            scope: None,
            format: Format::Json,
            layers: vec![Layer::Gzip],
            policy_digests: categories(),
            retry_of: None,
        }
    }

    fn started(&self) -> ExportEvent {
        ExportEvent::Started(Started {
            attempt: 1,
            node: NodeId::from_uuid(Uuid::from_u128(1)),
            incarnation: Incarnation::from_uuid(Uuid::from_u128(2)),
            lease_ms: 30_000,
            policy_digests: categories(),
        })
    }

    fn artifact(&self) -> PublishedArtifact {
        let name = |salt: u64| digest(self.number * 8 + salt);
        PublishedArtifact {
            key: format!(
                "{}/{}/1-{:016x}.json.gz",
                self.tenant,
                self.id,
                mix(self.number)
            ),
            bytes: 1_234_567,
            sha256: name(2),
            media_type: "application/gzip".to_owned(),
            json_bytes: 9_876_543,
            json_sha256: name(3),
            checksum: name(4),
            blocks_root: name(5),
        }
    }
}

fn progressed() -> ExportEvent {
    ExportEvent::Progressed(Progressed {
        attempt: 1,
        phase: Phase::Reading,
        category: Some("tickets".to_owned()),
        rows: 51_000,
        bytes: 4_000_000,
    })
}

fn categories() -> BTreeMap<String, Digest> {
    let ids = ["audit_events", "configuration", "tickets", "users"];
    let with_digest = |(number, id): (usize, &str)| (id.to_owned(), digest(number as u64));
    ids.into_iter().enumerate().map(with_digest).collect()
}

fn digest(number: u64) -> Digest {
    let mut bytes = [0; 32];
    for (index, part) in bytes.chunks_exact_mut(8).enumerate() {
        part.copy_from_slice(&mix(number.wrapping_add(index as u64)).to_le_bytes());
    }
    Digest::from_bytes(bytes)
}

/// SplitMix64: looks random, and is the same every time.
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
