//! The queries behind [`super::Exports`].

use carnet_events::domain::export::Status;
use carnet_events::ids::{ExportId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use uuid::Uuid;

use super::counts::EVERYONE;
use super::tables::{code, read_state};
use super::{ExportPage, ExportQuery, ExportRow, MAX_PAGE_SIZE};
use crate::database::from_sql;
use crate::{Error, ProjectionName};

pub(super) const COLUMNS: &str = "row, id, revision, status, created_at";
const STATE: &str = "SELECT state FROM exports_states WHERE row = ?";
const NEWEST_FIRST: &str = "ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset";

/// The export files whose window is over at `:now` though `expired` is not recorded yet. Few, unless the service has
/// just been down for long.
const OVER: &str = "status = 2 AND expires_at <= :now";

pub(super) fn list(tables: &Connection, query: &ExportQuery) -> Result<ExportPage, Error> {
    let Some(tenant) = name(tables, query.tenant.as_str())? else {
        return Ok(ExportPage::default());
    };
    let principal = match &query.principal {
        None => EVERYONE,
        Some(principal) => match name(tables, principal.as_str())? {
            Some(principal) => principal,
            None => return Ok(ExportPage::default()),
        },
    };
    let total = total(tables, tenant, principal, query.status, query.now)?;
    let limit = query.page_size.clamp(1, MAX_PAGE_SIZE);
    let offset = u64::from(query.page.saturating_sub(1)) * u64::from(limit);
    if offset >= total {
        return Ok(ExportPage {
            rows: Vec::new(),
            total,
        });
    }
    let mut statement = tables.prepare_cached(&page_sql(principal != EVERYONE, query.status))?;
    let mut rows = statement.query(named_params! {
        ":tenant": tenant, ":principal": principal, ":now": query.now.as_millis(),
        ":limit": limit, ":offset": i64::try_from(offset).unwrap_or(i64::MAX),
    })?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(read(tables, row)?);
    }
    Ok(ExportPage { rows: page, total })
}

/// A page of a list. `:now` and `:principal` are in every variant, so that all take the same parameters.
pub(super) fn page_sql(of_principal: bool, status: Option<Status>) -> String {
    let whose = if of_principal {
        "tenant = :tenant AND principal = :principal"
    } else {
        "tenant = :tenant AND :principal IS NOT NULL"
    };
    let from = |condition: &str| {
        format!("SELECT {COLUMNS} FROM exports WHERE {whose} AND {condition} AND :now IS NOT NULL")
    };
    match status {
        None => format!("{} {NEWEST_FIRST}", from("1")),
        Some(Status::Completed) => {
            let open = from("status = 2 AND (expires_at IS NULL OR expires_at > :now)");
            format!("{open} {NEWEST_FIRST}")
        }
        Some(Status::Expired) => {
            let (recorded, over) = (from("status = 5"), from(OVER));
            format!("{recorded} UNION ALL {over} {NEWEST_FIRST}")
        }
        Some(status @ (Status::Queued | Status::Running | Status::Failed | Status::Cancelled)) => {
            let with_status = from(&format!("status = {}", code(status)));
            format!("{with_status} {NEWEST_FIRST}")
        }
    }
}

/// Exports of a tenant (principal 0) or of one principal, as recorded.
pub(super) const TOTAL: &str = "SELECT coalesce(sum(count), 0) FROM exports_counts
    WHERE tenant = ? AND principal = ? AND (?3 IS NULL OR status = ?3)";

fn total(
    tables: &Connection,
    tenant: i64,
    principal: i64,
    status: Option<Status>,
    now: Timestamp,
) -> Result<u64, Error> {
    let recorded = |status: Option<Status>| -> Result<u64, Error> {
        let mut sum = tables.prepare_cached(TOTAL)?;
        let count = sum.query_row((tenant, principal, status.map(code)), |row| row.get(0))?;
        Ok(from_sql(count))
    };
    let over = || -> Result<u64, Error> {
        let mut count = tables.prepare_cached(OVER_COUNT)?;
        let count = count.query_row((tenant, now.as_millis(), principal), |row| row.get(0))?;
        Ok(from_sql(count))
    };
    match status {
        Some(Status::Completed) => Ok(recorded(status)?.saturating_sub(over()?)),
        Some(Status::Expired) => Ok(recorded(status)?.saturating_add(over()?)),
        Some(Status::Queued | Status::Running | Status::Failed | Status::Cancelled) | None => {
            recorded(status)
        }
    }
}

/// How many of a tenant (principal 0) or of one principal are over but not recorded as expired.
pub(super) const OVER_COUNT: &str = "SELECT count(*) FROM exports
    WHERE tenant = ?1 AND status = 2 AND expires_at <= ?2 AND (?3 = 0 OR principal = ?3)";

pub(super) fn one_sql() -> String {
    format!("SELECT {COLUMNS} FROM exports WHERE id = ?")
}

pub(super) fn get(tables: &Connection, id: ExportId) -> Result<Option<ExportRow>, Error> {
    let mut statement = tables.prepare_cached(&one_sql())?;
    let mut rows = statement.query([id.as_uuid().as_bytes()])?;
    match rows.next()? {
        Some(row) => read(tables, row).map(Some),
        None => Ok(None),
    }
}

pub(super) const IN_QUEUE: &str = "SELECT created_at FROM exports WHERE id = ? AND status = 0";

pub(super) fn queue_position(tables: &Connection, id: ExportId) -> Result<Option<u64>, Error> {
    let mut find = tables.prepare_cached(IN_QUEUE)?;
    let queued = find.query_row([id.as_uuid().as_bytes()], |row| row.get(0));
    match queued.optional()? {
        Some(created_at) => ahead(tables, created_at, id).map(Some),
        None => Ok(None),
    }
}

/// The queued exports before one, and it.
pub(super) const AHEAD: &str =
    "SELECT count(*) FROM exports WHERE status = 0 AND (created_at, id) <= (?, ?)";

fn ahead(tables: &Connection, created_at: i64, id: ExportId) -> Result<u64, Error> {
    let mut count = tables.prepare_cached(AHEAD)?;
    let count = count.query_row((created_at, id.as_uuid().as_bytes()), |row| row.get(0))?;
    Ok(from_sql(count))
}

pub(super) fn read(tables: &Connection, row: &Row<'_>) -> Result<ExportRow, Error> {
    let id = ExportId::from_uuid(Uuid::from_bytes(row.get("id")?));
    let mut select = tables.prepare_cached(STATE)?;
    let state: Vec<u8> = select.query_row([row.get::<_, i64>("row")?], |row| row.get(0))?;
    let export = read_state(&state).map_err(|error| Error::BadRow {
        projection: ProjectionName::Exports,
        reason: format!("export {id}: {error}"),
    })?;
    let queued = row.get::<_, i64>("status")? == code(Status::Queued);
    let queue_position = if queued {
        Some(ahead(tables, row.get("created_at")?, id)?)
    } else {
        None
    };
    Ok(ExportRow {
        id,
        revision: from_sql(row.get("revision")?),
        export,
        queue_position,
    })
}

/// The number of a tenant or principal; `None` when no row can speak of it.
pub(super) fn name(tables: &Connection, text: &str) -> Result<Option<i64>, Error> {
    let mut select = tables.prepare_cached("SELECT id FROM exports_names WHERE text = ?")?;
    Ok(select.query_row([text], |row| row.get(0)).optional()?)
}
