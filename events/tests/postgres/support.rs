use std::sync::Arc;

use async_trait::async_trait;
use carnet_events::conformance::Backend;
use carnet_events::store::postgres::PostgresStore;
use carnet_events::store::{Access, EventStore};
use uuid::Uuid;

use crate::server::shared;

/// A store in a schema of its own on the shared server.
pub struct Schema(pub String);

impl Schema {
    pub fn new() -> Self {
        Self(format!("s_{}", Uuid::new_v4().simple()))
    }

    pub fn url(&self) -> String {
        self.at(&shared::url())
    }

    /// The same schema, reached another way.
    pub fn at(&self, url: &str) -> String {
        let sign = if url.contains('?') { '&' } else { '?' };
        format!("{url}{sign}schema={}", self.0)
    }

    pub async fn store(&self) -> PostgresStore {
        PostgresStore::open(&self.url(), Access::ReadWrite)
            .await
            .unwrap()
    }

    /// Runs SQL there, past the store; the error's text when it is refused.
    pub async fn sql(&self, sql: &str) -> Result<(), String> {
        let connection = crate::connect::connect(&shared::url()).await.unwrap();
        let path = format!("SET search_path = {}", self.0);
        connection.batch_execute(&path).await.unwrap();
        let done = connection.batch_execute(sql).await;
        done.map_err(|error| error.as_db_error().map(ToString::to_string).unwrap())
    }
}

#[async_trait]
impl Backend for Schema {
    async fn open(&self) -> Arc<dyn EventStore> {
        Arc::new(self.store().await)
    }

    /// Another node's.
    async fn another(&self, _: &Arc<dyn EventStore>) -> Arc<dyn EventStore> {
        self.open().await
    }
}
