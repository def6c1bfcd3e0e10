//! An application on an empty store, for tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::BTreeMap;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::header;
use actix_web::{test, web};
use async_trait::async_trait;
use carnet_actors::ports::{
    Clock, Due, DueAction, Job, Mark, ObjectFailure, OpenAdmission, Page, Queued, RandomIds,
    RunFailure, RunOutput, Runner, Running, SweepJudge, SweepReport, Unreleased, Worklist,
    WorklistError,
};
use carnet_actors::{Options, Ports, System};
use carnet_events::domain::export::Progress;
use carnet_events::ids::{Digest, Incarnation, NodeId, TenantId, Timestamp};
use carnet_events::store::EventStore;
use carnet_events::store::memory::MemoryStore;
use carnet_projections::Projections;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::super::{AppState, ReadyCheck, Streams, server};
use crate::auth::{Sessions, TokenRequest, Verifier, Way, sign};
use crate::config::{Auth, Config, Secret};
use crate::export::Storages;
use crate::keys::KeyRing;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

pub(super) struct Broken;

#[async_trait]
impl ReadyCheck for Broken {
    fn name(&self) -> &'static str {
        "store"
    }

    async fn check(&self) -> Result<(), String> {
        Err("secret reason".to_owned())
    }
}

pub(super) fn config() -> Config {
    let secret = Secret::new("0123456789abcdef0123456789abcdef".to_owned());
    let auth = Auth {
        issuer: "https://login.example".to_owned(),
        hs256_secret: Some(secret),
        ..Auth::default()
    };
    Config {
        auth,
        ..Config::default()
    }
}

/// What a test serves from, with a folder for as long as it does.
pub(super) struct Served {
    state: web::Data<AppState>,
    _folder: TempDir,
}

impl Deref for Served {
    type Target = web::Data<AppState>;

    fn deref(&self) -> &Self::Target {
        &self.state
    }
}

pub(super) async fn state(change: impl FnOnce(&mut AppState)) -> Served {
    let config = Arc::new(config());
    let store: Arc<dyn EventStore> = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(Stopped);
    let ports = Ports {
        store: Arc::clone(&store),
        clock: Arc::clone(&clock),
        ids: Arc::new(RandomIds),
        runner: Arc::new(Idle),
        worklist: Arc::new(Idle),
    };
    let node = NodeId::from_uuid(Uuid::from_u128(1));
    let options = Options::new(node, Incarnation::from_uuid(Uuid::from_u128(2)));
    let folder = tempfile::tempdir().unwrap();
    let artifacts = format!("file:{}", folder.path().join("artifacts").display());
    let file = folder.path().join("projections.db");
    let keys = Arc::new(KeyRing::ephemeral().unwrap());
    let sessions = Sessions::new(
        Arc::clone(&keys),
        Arc::clone(&store),
        config.auth.session,
        Way::Demo,
    );
    let storages = Storages::open(&artifacts, &BTreeMap::new(), "log").await;
    let mut state = AppState {
        storages: Arc::new(storages.unwrap()),
        verifier: Arc::new(Verifier::new(&config.auth).unwrap()),
        sessions: Arc::new(sessions),
        keys,
        catalog: Arc::new(config.catalog().unwrap()),
        system: System::start(options, ports).await.unwrap(),
        projections: Projections::start(Arc::clone(&store), carnet_projections::Options::new(file))
            .await
            .unwrap(),
        store,
        config,
        clock,
        requests: Arc::new(Semaphore::new(4)),
        rebuilds: Arc::new(Semaphore::new(1)),
        documents: Default::default(),
        streams: Streams::new(4),
        stopping: CancellationToken::new(),
        ready: Vec::new(),
        failing: Default::default(),
        metrics: None,
    };
    change(&mut state);
    Served {
        state: web::Data::new(state),
        _folder: folder,
    }
}

pub(super) fn token(roles: &[&str]) -> String {
    token_in(Some("acme"), roles)
}

pub(super) fn token_in(tenant: Option<&str>, roles: &[&str]) -> String {
    let request = TokenRequest {
        tenant: tenant.map(str::to_owned),
        user: "ada".to_owned(),
        roles: roles.iter().map(|r| (*r).to_owned()).collect(),
        permissions: vec![],
        ttl: Duration::from_secs(60),
    };
    sign(&config().auth, &request, NOW).unwrap()
}

pub(super) async fn send(state: &Served, request: test::TestRequest) -> ServiceResponse {
    let app = test::init_service(server::app(state.state.clone())).await;
    test::call_service(&app, request.to_request()).await
}

pub(super) async fn get(path: &str, bearer: Option<&str>) -> ServiceResponse {
    let mut request = test::TestRequest::get().uri(path);
    if let Some(token) = bearer {
        request = request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")));
    }
    send(&state(|_| ()).await, request).await
}

pub(super) async fn json(response: ServiceResponse) -> Value {
    serde_json::from_slice(&to_bytes(response.into_body()).await.unwrap()).unwrap()
}

/// A clock that stands still.
struct Stopped;

#[async_trait]
impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        NOW
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// Nothing to do, and nobody to do it.
struct Idle;

#[async_trait]
impl Runner for Idle {
    fn current_digests(&self, _: &[String]) -> Result<BTreeMap<String, Digest>, RunFailure> {
        Ok(BTreeMap::new())
    }

    fn storage_answers(&self, _: &TenantId) -> bool {
        true
    }

    async fn storage_verified(&self, _: &TenantId) -> bool {
        true
    }

    async fn run(
        &self,
        _: Job,
        _: watch::Sender<Progress>,
        _: CancellationToken,
    ) -> Result<RunOutput, RunFailure> {
        Err(RunFailure::permanent("idle"))
    }

    async fn delete(&self, _: &str) -> Result<(), ObjectFailure> {
        Ok(())
    }

    async fn sweep(
        &self,
        _: Timestamp,
        _: Arc<dyn SweepJudge>,
    ) -> Result<SweepReport, ObjectFailure> {
        Ok(SweepReport::default())
    }
}

fn nothing<T>() -> Result<Page<T>, WorklistError> {
    Ok(Page {
        entries: Vec::new(),
        next: None,
    })
}

#[async_trait]
impl Worklist for Idle {
    async fn open_admissions(
        &self,
        _: Option<Mark>,
        _: usize,
    ) -> Result<Page<OpenAdmission>, WorklistError> {
        nothing()
    }

    async fn queued(&self, _: Option<Mark>, _: usize) -> Result<Page<Queued>, WorklistError> {
        nothing()
    }

    async fn running(&self, _: Option<Mark>, _: usize) -> Result<Page<Running>, WorklistError> {
        nothing()
    }

    async fn due(
        &self,
        _: DueAction,
        _: Timestamp,
        _: Option<Mark>,
        _: usize,
    ) -> Result<Page<Due>, WorklistError> {
        nothing()
    }

    async fn unreleased(
        &self,
        _: Option<Mark>,
        _: usize,
    ) -> Result<Page<Unreleased>, WorklistError> {
        nothing()
    }

    async fn ending(
        &self,
        _: Timestamp,
        _: Option<TenantId>,
        _: usize,
    ) -> Result<Vec<TenantId>, WorklistError> {
        Ok(Vec::new())
    }
}
