//! Opening the schema: made when absent, brought up to date, recognised, refused when it is anything else.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;

use super::connect::{Connection, describe};
use super::error::undone;
use super::sql::Parameters;
use crate::store::StoreError;

/// The schema's versions, in order; each brings the one before it up to date. What stands here never changes.
const MIGRATIONS: [&str; 2] = [include_str!("schema.sql"), include_str!("reseal.sql")];

/// What the promises rest on, as the catalog tells it.
const GUARDS: &str = include_str!("guards.sql");
const EXPECTED: &str = include_str!("guards.txt");

/// How long opening may take; waiting for another node that is making the tables is part of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long a migration waits for a table that something else reads, a backup perhaps. While it waits, everybody who comes later
/// waits behind it: nodes that serve, too.
const TABLE: &str = "SET LOCAL lock_timeout = '1s'";

/// The oldest release of PostgreSQL that has what is used here; it is no longer maintained either.
const OLDEST: i32 = 120_000;

/// Begins a migration alone: nodes that start at the same time make the tables one after another. The lock belongs to the
/// transaction, so that it can't stay behind a pooler.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = '50s'; SET LOCAL synchronous_commit = on; \
    SELECT pg_catalog.pg_advisory_xact_lock(17234, 20052)";

/// Makes sure that the schema is there and is ours, making it if `make`.
pub(super) async fn open(
    connection: &Connection,
    schema: &str,
    make: bool,
) -> Result<(), StoreError> {
    let opening = async {
        fit(connection).await?;
        if make && version(connection, schema).await? < known() {
            migrate(connection, schema).await?;
        }
        let version = version(connection, schema).await?;
        if version == 0 {
            return Err(StoreError::refused(format!(
                "no event store has been made in the schema `{schema}` yet; `carnet serve` makes it"
            )));
        }
        if version < known() {
            return Err(StoreError::refused(format!(
                "the schema `{schema}` has version {version}, this program reads version {}; `carnet serve` brings it up to date",
                known()
            )));
        }
        verify(connection, schema).await
    };
    match tokio::time::timeout(PATIENCE, opening).await {
        Ok(opened) => opened,
        Err(_) => Err(StoreError::unavailable(format!(
            "opening the schema `{schema}` took longer than {} s",
            PATIENCE.as_secs()
        ))),
    }
}

fn known() -> i32 {
    i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)
}

/// Whether the server can keep what the contract promises. Asked of every connection that writes: after a failover it is
/// another server.
pub(super) async fn fit(connection: &Connection) -> Result<(), StoreError> {
    let sql = "SELECT pg_catalog.current_setting('server_version_num')::integer, pg_catalog.current_setting('fsync')::boolean";
    let row = connection.query_typed_one(sql, &[]).await;
    let row = row.map_err(|error| undone(&error))?;
    if row.get::<_, i32>(0) < OLDEST {
        return Err(StoreError::refused(
            "the server is older than PostgreSQL 12; upgrade it",
        ));
    }
    if !row.get::<_, bool>(1) {
        return Err(StoreError::refused(
            "the server runs with `fsync = off`: what it acknowledges may be lost; set `fsync = on` and reload it",
        ));
    }
    Ok(())
}

/// The version of what is there; 0 when nothing is.
async fn version(connection: &Connection, schema: &str) -> Result<i32, StoreError> {
    let failed = |error| undone(&error);
    let sql = "SELECT pg_catalog.to_regclass($1) IS NOT NULL, EXISTS (SELECT 1 FROM pg_catalog.pg_class \
               WHERE relnamespace = pg_catalog.to_regnamespace($2)::pg_catalog.oid AND relkind IN ('r', 'v', 'm', 'p'))";
    let table = format!("{schema}.versions");
    let parameters: Parameters<'_> = &[(&table, Type::TEXT), (&schema, Type::TEXT)];
    let row = connection
        .query_typed_one(sql, parameters)
        .await
        .map_err(failed)?;
    match (row.get(0), row.get(1)) {
        (true, _) => {}
        (false, false) => return Ok(0),
        (false, true) => {
            return Err(StoreError::refused(format!(
                "the schema `{schema}` holds something else, no event store of this program; name another with `?schema=NAME`"
            )));
        }
    }
    let sql = format!("SELECT coalesce(pg_catalog.max(version), 0) FROM {schema}.versions");
    let row = connection
        .query_typed_one(&sql, &[])
        .await
        .map_err(failed)?;
    let version: i32 = row.try_get(0).map_err(failed)?;
    if version > known() {
        return Err(StoreError::refused(format!(
            "the schema `{schema}` has version {version}, this program knows version {}; use the program that wrote it, or a later one",
            known()
        )));
    }
    Ok(version)
}

async fn migrate(connection: &Connection, schema: &str) -> Result<(), StoreError> {
    let busy = |error: &tokio_postgres::Error| error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE);
    let outdated = |error: tokio_postgres::Error| match undone(&error) {
        _ if busy(&error) => StoreError::unavailable(format!(
            "the schema `{schema}` is to be brought up to date, and something reads it meanwhile, a backup perhaps: start again when that is over"
        )),
        StoreError::Refused { .. } => StoreError::refused(format!(
            "{}; the schema `{schema}` is to be brought up to date: start one node as the role that owns it, once",
            describe(&error)
        )),
        other => other,
    };
    let failed = |error: tokio_postgres::Error| match undone(&error) {
        _ if busy(&error) => StoreError::unavailable(format!(
            "another node has been making the schema `{schema}` for long; it is tried again"
        )),
        StoreError::Refused { .. } => StoreError::refused(format!(
            "{}; let the role make the schema `{schema}` (GRANT CREATE ON DATABASE …), or make it beforehand as its owner",
            describe(&error)
        )),
        other => other,
    };
    connection.batch_execute(BEGIN).await.map_err(failed)?;
    let from = version(connection, schema).await?;
    // Someone else was faster, or it is made from nothing; one who may not make schemas may still own this one.
    let make = format!(
        "DO $$ BEGIN IF pg_catalog.to_regnamespace('{schema}') IS NULL THEN CREATE SCHEMA {schema}; END IF; END $$; \
         SET LOCAL search_path = {schema}, pg_temp"
    );
    connection.batch_execute(&make).await.map_err(failed)?;
    connection.batch_execute(TABLE).await.map_err(failed)?;
    for (version, migration) in (1..).zip(MIGRATIONS).filter(|(version, _)| *version > from) {
        let made = connection.batch_execute(migration).await;
        match from {
            0 => made.map_err(failed)?,
            _ => made.map_err(outdated)?,
        }
        let note = format!("INSERT INTO versions (version) VALUES ({version})");
        connection.batch_execute(&note).await.map_err(failed)?;
        tracing::info!(
            schema,
            version,
            "the event store's schema was brought up to date"
        );
    }
    connection.batch_execute("COMMIT").await.map_err(failed)
}

/// Compares tables, indices, triggers and functions with what this program would make.
async fn verify(connection: &Connection, schema: &str) -> Result<(), StoreError> {
    let rows = connection
        .query_typed(GUARDS, &[(&schema, Type::TEXT)])
        .await;
    let found: BTreeSet<String> = rows
        .map_err(|error| undone(&error))?
        .iter()
        .map(|row| row.try_get(0))
        .collect::<Result<_, _>>()
        .map_err(|error| undone(&error))?;
    let expected: BTreeSet<&str> = EXPECTED.lines().filter(|line| !line.is_empty()).collect();
    let differs = expected
        .iter()
        .find(|line| !found.contains(**line))
        .map(|line| (*line).to_owned())
        .or_else(|| {
            found
                .into_iter()
                .find(|line| !expected.contains(line.as_str()))
        });
    match differs {
        None => Ok(()),
        Some(line) => Err(StoreError::corrupt(format!(
            "the schema `{schema}` is not as this program made it, its promises can't be relied on; it differs in: {line}"
        ))),
    }
}
