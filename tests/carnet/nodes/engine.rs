//! The event stores that several nodes can share, as servers that a test starts and restarts.

use std::time::Duration;

use crate::postgres::{Postgres, SMALL};

/// One of them, running.
pub(crate) enum Engine {
    /// A real PostgreSQL.
    Postgres(Postgres),
}

impl Engine {
    pub(crate) fn postgres() -> Self {
        Self::Postgres(Postgres::start(&[SMALL]).expect("a PostgreSQL to test with"))
    }

    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "PostgreSQL",
        }
    }

    /// What nodes write into `store.url`.
    pub(crate) fn url(&self) -> String {
        match self {
            Self::Postgres(postgres) => postgres.url("postgres"),
        }
    }

    /// Kills it as a power cut would, and starts it again a moment later.
    pub(crate) async fn restart(&mut self) {
        match self {
            Self::Postgres(postgres) => {
                postgres.kill().expect("it can be killed");
                tokio::time::sleep(Duration::from_millis(500)).await;
                postgres.start_again().expect("it starts again");
            }
        }
    }
}
