//! The queries behind [`super::AuditLog`].

use carnet_events::ids::{ExportId, PrincipalId, Timestamp};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params_from_iter};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{AuditCursor, AuditEntry, AuditOrder, AuditPage, AuditQuery};
use crate::{Error, ProjectionName};

/// A statement and its parameters.
pub(super) struct Asked {
    pub(super) sql: String,
    parameters: Vec<Sql>,
}

pub(super) fn page(
    tables: &Connection,
    query: &AuditQuery,
    after: Option<AuditCursor>,
    size: u32,
) -> Result<AuditPage, Error> {
    let Some(asked) = asked(tables, query, after, None, size)? else {
        return Ok(AuditPage::default());
    };
    let mut entries = read(tables, &asked)?;
    // One more was asked for than fits: whether there is a next page.
    let size = usize::try_from(size).unwrap_or(usize::MAX);
    let more = entries.len() > size;
    entries.truncate(size);
    let next = entries.last().filter(|_| more).map(|last| last.cursor);
    Ok(AuditPage { entries, next })
}

/// A page of what was recorded up to `end`.
pub(super) fn page_until(
    tables: &Connection,
    query: &AuditQuery,
    after: Option<AuditCursor>,
    end: i64,
    size: u32,
) -> Result<Vec<AuditEntry>, Error> {
    match asked(tables, query, after, Some(end), size)? {
        Some(asked) => read(tables, &asked),
        None => Ok(Vec::new()),
    }
}

fn read(tables: &Connection, asked: &Asked) -> Result<Vec<AuditEntry>, Error> {
    let mut statement = tables.prepare_cached(&asked.sql)?;
    let mut rows = statement.query(params_from_iter(&asked.parameters))?;
    let mut entries = Vec::new();
    while let Some(row) = rows.next()? {
        entries.push(entry(row)?);
    }
    Ok(entries)
}

/// The statement for a page and one entry beyond; `None` when a filter names what no entry speaks of.
///
/// Filters are answered by an index that holds all they look at, and only what they let through is read from the log:
/// without statistics SQLite would rather go through a whole tenant than look an index's finds up one by one. Of several
/// filters the one that lets least through chooses the index; the `+` before the others keeps them from it.
pub(super) fn asked(
    tables: &Connection,
    query: &AuditQuery,
    after: Option<AuditCursor>,
    end: Option<i64>,
    size: u32,
) -> Result<Option<Asked>, Error> {
    let Some(tenant) = name(tables, query.tenant.as_str())? else {
        return Ok(None);
    };
    let mut conditions = vec!["tenant = ?".to_owned()];
    let mut parameters = vec![Sql::from(tenant)];
    let mut with = |condition: &str, values: Vec<Sql>| {
        conditions.push(condition.to_owned());
        parameters.extend(values);
    };
    let mut chosen = false;
    let mut by = |column: &str| {
        let plus = if std::mem::replace(&mut chosen, true) {
            "+"
        } else {
            ""
        };
        format!("{plus}{column} = ?")
    };
    if let Some(export) = query.export {
        let id = export.as_uuid().as_bytes().to_vec();
        with(&by("export"), vec![id.into()]);
    }
    if let Some(principal) = &query.principal {
        let Some(principal) = name(tables, principal.as_str())? else {
            return Ok(None);
        };
        with(&by("principal"), vec![principal.into()]);
    }
    if let Some(kind) = &query.kind {
        let Some(kind) = name(tables, kind)? else {
            return Ok(None);
        };
        with(&by("type"), vec![kind.into()]);
    }
    if let Some(from) = query.from {
        with("at >= ?", vec![from.as_millis().into()]);
    }
    if let Some(to) = query.to {
        with("at < ?", vec![to.as_millis().into()]);
    }
    if let Some(end) = end {
        with("seq <= ?", vec![end.into()]);
    }
    let (direction, comparison) = match query.order {
        AuditOrder::NewestFirst => ("DESC", "<"),
        AuditOrder::OldestFirst => ("ASC", ">"),
    };
    if let Some(AuditCursor { at, seq }) = after {
        let after = format!("(at, seq) {comparison} (?, ?)");
        with(&after, vec![at.into(), seq.into()]);
    }
    parameters.push((i64::from(size) + 1).into());
    let sql = format!(
        "SELECT e.at, e.seq, t.text, p.text, e.export, e.code, e.details FROM
            (SELECT tenant, at, seq FROM audit_log WHERE {} ORDER BY at {direction}, seq {direction} LIMIT ?) k
         CROSS JOIN audit_log e ON e.tenant = k.tenant AND e.at = k.at AND e.seq = k.seq
         CROSS JOIN audit_names t ON t.id = e.type LEFT JOIN audit_names p ON p.id = e.principal
         ORDER BY k.at {direction}, k.seq {direction}",
        conditions.join(" AND ")
    );
    Ok(Some(Asked { sql, parameters }))
}

/// The newest entry of all, by the event store's order.
pub(super) fn end(tables: &Connection) -> Result<i64, Error> {
    // Every file has such a table; the connection knows each by its projection's name.
    let sql = "SELECT coalesce(at_prepare, 0) FROM audit_log.checkpoint";
    let end = tables.query_row(sql, [], |row| row.get(0)).optional()?;
    Ok(end.unwrap_or(0))
}

fn entry(row: &Row<'_>) -> Result<AuditEntry, Error> {
    let (at, seq) = (row.get(0)?, row.get(1)?);
    let bad = |reason: String| Error::BadRow {
        projection: ProjectionName::AuditLog,
        reason: format!("entry {at}/{seq}: {reason}"),
    };
    let principal = match row.get::<_, Option<String>>(3)? {
        Some(text) => Some(PrincipalId::new(text).map_err(|error| bad(error.to_string()))?),
        None => None,
    };
    let details = match row.get_ref(6)?.as_str_or_null() {
        Ok(Some(json)) => serde_json::from_str(json).map_err(|error| bad(error.to_string()))?,
        Ok(None) => Value::Object(Map::new()),
        Err(error) => return Err(bad(error.to_string())),
    };
    let export_id = row.get::<_, Option<[u8; 16]>>(4)?;
    Ok(AuditEntry {
        cursor: AuditCursor { at, seq },
        kind: row.get(2)?,
        at: Timestamp::from_millis(at),
        principal,
        export_id: export_id.map(|id| ExportId::from_uuid(Uuid::from_bytes(id))),
        code: row.get(5)?,
        details,
    })
}

/// The number of a text; `None` when no row can speak of it.
pub(super) fn name(tables: &Connection, text: &str) -> Result<Option<i64>, Error> {
    let mut select = tables.prepare_cached("SELECT id FROM audit_names WHERE text = ?")?;
    Ok(select.query_row([text], |row| row.get(0)).optional()?)
}
