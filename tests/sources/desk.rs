//! An exporter over one source, and a schema of one's own on the shared server.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use carnet::export::catalog::{Catalog, CategoryConfig, SourceConfig};
use carnet::export::run::{Exporter, Parts};
use carnet::export::storages::Storages;
use carnet::keys::KeyRing;
use carnet_actors::ports::{Clock, Job, RunFailure, Runner};
use carnet_events::domain::export::Progress;
use carnet_events::domain::request::{ExportKind, Format, Origin, Request, Scope};
use carnet_events::ids::{ExportId, PrincipalId, TenantId, Timestamp};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::server::shared;

const TIME: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A clock that stands still.
struct Still;

#[async_trait]
impl Clock for Still {
    fn now(&self) -> Timestamp {
        TIME
    }

    fn monotonic(&self) -> Duration {
        Duration::ZERO
    }

    async fn sleep(&self, _: Duration) {
        std::future::pending().await
    }
}

/// A schema on the shared server.
pub(crate) struct Schema(pub(crate) String);

impl Schema {
    /// A new schema with what `sql` makes in it.
    pub(crate) fn new(sql: &str) -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let schema = Self(format!("s{}_{number}", std::process::id()));
        shared::query(&format!(
            "drop schema if exists {0} cascade; create schema {0}",
            schema.0
        ));
        schema.sql(sql);
        schema
    }

    /// Runs SQL there.
    pub(crate) fn sql(&self, sql: &str) -> String {
        shared::query(&format!("set search_path = {}, public; {sql}", self.0))
    }

    /// Where its owner finds it.
    pub(crate) fn url(&self) -> String {
        self.within(&shared::url())
    }

    /// Where somebody else does.
    pub(crate) fn url_of(&self, user: &str, password: &str) -> String {
        self.within(&shared::url_of(user, password))
    }

    /// Where its owner finds it, at a place that is given by parameters.
    pub(crate) fn url_at(&self, place: &str) -> String {
        let url = self.url();
        let here = format!("127.0.0.1:{}", shared::port());
        format!("{}&{place}", url.replace(&here, ""))
    }

    fn within(&self, url: &str) -> String {
        format!("{url}?options=-c%20search_path%3D{}%2Cpublic", self.0)
    }

    /// A role that may log in, and nothing more yet.
    pub(crate) fn role(&self) -> String {
        let role = format!("r_{}", self.0);
        self.sql(&format!(
            "drop role if exists {role}; create role {role} login password 'reader'"
        ));
        role
    }
}

/// An exporter over one source named `main`, and where it stores.
pub(crate) struct Desk {
    directory: tempfile::TempDir,
    exporter: Exporter,
}

#[derive(serde::Deserialize)]
struct File {
    category: Vec<CategoryConfig>,
}

/// One category of the source `main`, as in a configuration file.
pub(crate) fn category(id: &str, query: &str, columns: &str) -> String {
    format!(
        "[[category]]\nid = \"{id}\"\ntitle = \"T\"\nsource = \"main\"\nquery = '''{query}'''\n[category.columns]\n{columns}\n"
    )
}

impl Desk {
    pub(crate) async fn new(url: &str, categories: &str) -> Self {
        Self::over(SourceConfig::new("main", url), categories).await
    }

    pub(crate) async fn over(source: SourceConfig, categories: &str) -> Self {
        let file: File = toml::from_str(categories).unwrap();
        let catalog = Catalog::compile(&[source], &file.category).unwrap_or_else(|e| panic!("{e}"));
        let directory = tempfile::tempdir().unwrap();
        let url = format!("file:{}", directory.path().join("artifacts").display());
        let storages = Storages::open(&url, &BTreeMap::new(), "log-1").await;
        let keys = directory.path().join("keys");
        std::fs::write(&keys, format!("k1 {}\n", "ab".repeat(32))).unwrap();
        std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        let parts = Parts {
            storages: Arc::new(storages.unwrap()),
            keys: Arc::new(KeyRing::open(&keys).unwrap()),
            clock: Arc::new(Still),
            compress_threads: NonZeroUsize::MIN,
        };
        Self {
            directory,
            exporter: Exporter::new(Arc::new(catalog), parts).unwrap(),
        }
    }

    /// Exports categories for the tenant `acme`, and gives the artifact's bytes.
    pub(crate) async fn bytes(&self, categories: &[&str]) -> Result<Vec<u8>, RunFailure> {
        self.run(categories, None, CancellationToken::new(), None)
            .await
    }

    /// The rows of one category.
    pub(crate) async fn rows(&self, category: &str) -> Result<Vec<Value>, RunFailure> {
        let bytes = self.bytes(&[category]).await?;
        Ok(rows(&bytes, category))
    }

    /// The rows of one category within a part of the tenant.
    pub(crate) async fn rows_within(&self, category: &str, scope: &str) -> Vec<Value> {
        let categories = [category];
        let exported = self.run(&categories, Some(scope), CancellationToken::new(), None);
        rows(&exported.await.unwrap(), category)
    }

    /// Exports until something happens; `progress` tells how far it is.
    pub(crate) async fn run(
        &self,
        categories: &[&str],
        scope: Option<&str>,
        cancel: CancellationToken,
        progress: Option<watch::Sender<Progress>>,
    ) -> Result<Vec<u8>, RunFailure> {
        let before = self.stored();
        let progress = progress.unwrap_or_else(|| watch::channel(Progress::START).0);
        let result = self
            .exporter
            .run(self.job(categories, scope), progress, cancel)
            .await;
        match result {
            Ok(output) => Ok(std::fs::read(
                self.directory
                    .path()
                    .join("artifacts")
                    .join(output.artifact.key),
            )
            .unwrap()),
            Err(failure) => {
                // The upload's own task clears up what it had begun.
                let cleared = || (self.stored() == before).then_some(());
                until("a failed export to leave nothing behind", cleared).await;
                Err(failure)
            }
        }
    }

    fn job(&self, categories: &[&str], scope: Option<&str>) -> Job {
        let tenant = TenantId::new("acme").unwrap();
        let categories: Vec<String> = categories.iter().map(|id| (*id).to_owned()).collect();
        let policy_digests = self.exporter.current_digests(&categories).unwrap();
        let request = Request {
            tenant,
            principal: PrincipalId::new("p").unwrap(),
            origin: Origin::User,
            kind: ExportKind::Account,
            categories,
            scope: scope.map(|id| Scope { id: id.to_owned() }),
            format: Format::Json,
            layers: vec![],
            policy_digests: policy_digests.clone(),
            retry_of: None,
        };
        Job {
            export: ExportId::from_uuid(Uuid::from_u128(7)),
            request,
            attempt: 1,
            claim: Uuid::new_v4(),
            policy_digests,
            started_at: TIME,
            ttl: None,
        }
    }

    /// How many objects of exports there are.
    fn stored(&self) -> usize {
        fn count(path: &std::path::Path) -> usize {
            let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
            entries
                .map(|entry| match entry.path() {
                    path if path.is_dir() => count(&path),
                    path if path.ends_with("carnet-log.json") => 0,
                    _ => 1,
                })
                .sum()
        }
        count(&self.directory.path().join("artifacts"))
    }
}

/// The rows of a category in an artifact, which is checked to be canonical.
pub(crate) fn rows(artifact: &[u8], category: &str) -> Vec<Value> {
    let text = std::str::from_utf8(artifact).unwrap();
    let value: Value = serde_json::from_str(text).unwrap();
    assert_eq!(text, serde_json_canonicalizer::to_string(&value).unwrap());
    value["data"][category].as_array().unwrap().clone()
}

/// Waits until `what` is there.
pub(crate) async fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    for _ in 0..3_000 {
        if let Some(found) = look() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("waited in vain for {what}");
}
