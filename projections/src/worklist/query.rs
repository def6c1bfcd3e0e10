//! The queries behind [`super::Worklist`].

use carnet_events::ids::{ExportId, Incarnation, NodeId, TenantId, Timestamp};
use rusqlite::{Connection, Row, named_params};
use uuid::Uuid;

use super::fold::{self, ADMITTED, QUEUED, RUNNING};
use super::{Due, Mark, OpenAdmission, Queued, Running, Unreleased};
use crate::database::from_sql;
use crate::{Error, ProjectionName};

/// A list in the order of the column `{by}`: at most `:limit` items after the mark and not after `:until`.
pub(super) fn list_sql(by: &str, condition: &str) -> String {
    format!(
        "SELECT w.*, {by} AS mark, n.text AS tenant_id FROM worklist w CROSS JOIN worklist_names n ON n.id = w.tenant
         WHERE {condition} AND {by} <= :until AND ({by}, export) > (:at, :export) ORDER BY {by}, export LIMIT :limit"
    )
}

// The index of these stages is used only where its condition stands in the query word for word.
pub(super) const OPEN_ADMISSIONS: (&str, &str) = ("since", "stage < 3 AND stage = 0");
pub(super) const QUEUED_ONES: (&str, &str) = (
    "since",
    "stage < 3 AND stage = 1 AND (not_before IS NULL OR not_before <= :now)",
);
pub(super) const RUNNING_ONES: (&str, &str) = ("since", "stage < 3 AND stage = 2");
pub(super) const UNRELEASED: (&str, &str) =
    ("since", "stage = 3 AND admitted = 1 AND released = 0");
pub(super) const DUE_EXPIRY: (&str, &str) =
    ("expires_at", "expires_at IS NOT NULL AND expired = 0");
pub(super) const DUE_DELETION: (&str, &str) = (
    "expires_at",
    "expires_at IS NOT NULL AND held = 0 AND deleting_since IS NULL",
);
pub(super) const DELETING: (&str, &str) = (
    "deleting_since",
    "deleting_since IS NOT NULL AND deleted = 0",
);

pub(super) const NEXT_START: &str =
    "SELECT min(not_before) FROM worklist WHERE stage < 3 AND stage = 1 AND not_before > ?";
pub(super) const NEXT_EXPIRY: &str =
    "SELECT min(expires_at) FROM worklist WHERE expires_at IS NOT NULL AND expired = 0";

const _: () = assert!(ADMITTED == 0 && QUEUED == 1 && RUNNING == 2);

struct Page {
    until: Timestamp,
    /// For lists that look at another time besides the one they are ordered by.
    now: Option<Timestamp>,
    after: Option<Mark>,
    limit: u32,
}

fn list<T>(
    tables: &Connection,
    (by, condition): (&str, &str),
    page: &Page,
    read: impl Fn(&Row<'_>, Mark, TenantId) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    // `:now` is used by few; naming it in all lets all take the same parameters.
    let condition = format!("{condition} AND :now IS NOT NULL");
    let mut statement = tables.prepare_cached(&list_sql(by, &condition))?;
    let (at, export) = match page.after {
        Some(mark) => (
            mark.at.as_millis(),
            mark.export.as_uuid().as_bytes().to_vec(),
        ),
        None => (i64::MIN, Vec::new()),
    };
    let mut rows = statement.query(named_params! {
        ":until": page.until.as_millis(), ":now": page.now.unwrap_or(page.until).as_millis(), ":at": at,
        ":export": export, ":limit": page.limit,
    })?;
    let mut items = Vec::new();
    while let Some(row) = rows.next()? {
        let (mark, tenant) = which(row)?;
        items.push(read(row, mark, tenant)?);
    }
    Ok(items)
}

/// What every list's rows have.
fn which(row: &Row<'_>) -> Result<(Mark, TenantId), Error> {
    let tenant: String = row.get("tenant_id")?;
    let tenant = TenantId::new(tenant).map_err(|error| bad(&error.to_string()))?;
    let mark = Mark {
        at: Timestamp::from_millis(row.get("mark")?),
        export: ExportId::from_uuid(Uuid::from_bytes(row.get("export")?)),
    };
    Ok((mark, tenant))
}

fn bad(reason: &str) -> Error {
    Error::BadRow {
        projection: ProjectionName::Worklist,
        reason: reason.to_owned(),
    }
}

pub(super) fn open_admissions(
    tables: &Connection,
    until: Timestamp,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<OpenAdmission>, Error> {
    let page = Page {
        until,
        now: None,
        after,
        limit,
    };
    list(tables, OPEN_ADMISSIONS, &page, |_, mark, tenant| {
        Ok(OpenAdmission { mark, tenant })
    })
}

pub(super) fn queued(
    tables: &Connection,
    now: Timestamp,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Queued>, Error> {
    let page = Page {
        until: Timestamp::MAX,
        now: Some(now),
        after,
        limit,
    };
    list(tables, QUEUED_ONES, &page, |row, mark, tenant| {
        let not_before: Option<i64> = row.get("not_before")?;
        Ok(Queued {
            mark,
            tenant,
            not_before: not_before.map(Timestamp::from_millis),
            attempts: row.get("attempts")?,
        })
    })
}

/// The export that waits longest, due or not.
pub(crate) fn oldest_queued(tables: &Connection) -> Result<Option<Queued>, Error> {
    Ok(queued(tables, Timestamp::MAX, None, 1)?.pop())
}

pub(super) fn next_start(tables: &Connection, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let next: Option<i64> = tables
        .prepare_cached(NEXT_START)?
        .query_row([now.as_millis()], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

pub(crate) fn running(
    tables: &Connection,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Running>, Error> {
    let page = Page {
        until: Timestamp::MAX,
        now: None,
        after,
        limit,
    };
    list(tables, RUNNING_ONES, &page, of_running)
}

/// A row with its mark and the tenant's id, as [`list_sql`] selects them, of an export that runs.
pub(crate) fn read_running(row: &Row<'_>) -> Result<Running, Error> {
    let (mark, tenant) = which(row)?;
    of_running(row, mark, tenant)
}

fn of_running(row: &Row<'_>, mark: Mark, tenant: TenantId) -> Result<Running, Error> {
    Ok(Running {
        mark,
        tenant,
        attempt: row.get("attempts")?,
        node: NodeId::from_uuid(Uuid::from_bytes(row.get("node")?)),
        incarnation: Incarnation::from_uuid(Uuid::from_bytes(row.get("incarnation")?)),
        lease_ms: from_sql(row.get("lease_ms")?),
        alive_at: Timestamp::from_millis(row.get("alive_at")?),
        revision: from_sql(row.get("revision")?),
    })
}

pub(super) fn unreleased(
    tables: &Connection,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Unreleased>, Error> {
    let page = Page {
        until: Timestamp::MAX,
        now: None,
        after,
        limit,
    };
    list(tables, UNRELEASED, &page, |row, mark, tenant| {
        let outcome = fold::outcome(row.get("outcome")?);
        Ok(Unreleased {
            mark,
            tenant,
            outcome: outcome.ok_or_else(|| bad("no such outcome"))?,
        })
    })
}

pub(super) fn due_expiry(
    tables: &Connection,
    until: Timestamp,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    due(tables, DUE_EXPIRY, until, after, limit)
}

pub(super) fn due_deletion(
    tables: &Connection,
    until: Timestamp,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    due(tables, DUE_DELETION, until, after, limit)
}

pub(super) fn deleting(
    tables: &Connection,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    due(tables, DELETING, Timestamp::MAX, after, limit)
}

fn due(
    tables: &Connection,
    which: (&str, &str),
    until: Timestamp,
    after: Option<Mark>,
    limit: u32,
) -> Result<Vec<Due>, Error> {
    let page = Page {
        until,
        now: None,
        after,
        limit,
    };
    list(tables, which, &page, |_, mark, tenant| {
        Ok(Due { mark, tenant })
    })
}

pub(super) fn next_expiry(tables: &Connection) -> Result<Option<Timestamp>, Error> {
    let next: Option<i64> = tables
        .prepare_cached(NEXT_EXPIRY)?
        .query_row([], |row| row.get(0))?;
    Ok(next.map(Timestamp::from_millis))
}

pub(super) const ENDING: &str =
    "SELECT tenant FROM worklist_endings WHERE tenant > :after AND grace_until <= :until
    ORDER BY tenant LIMIT :limit";

pub(super) fn ending(
    tables: &Connection,
    until: Timestamp,
    after: Option<&TenantId>,
    limit: u32,
) -> Result<Vec<TenantId>, Error> {
    let mut statement = tables.prepare_cached(ENDING)?;
    let after = after.map_or("", TenantId::as_str);
    let mut rows = statement.query(named_params! {
        ":after": after, ":until": until.as_millis(), ":limit": limit,
    })?;
    let mut tenants = Vec::new();
    while let Some(row) = rows.next()? {
        let tenant = TenantId::new(row.get::<_, String>(0)?);
        tenants.push(tenant.map_err(|error| bad(&error.to_string()))?);
    }
    Ok(tenants)
}
