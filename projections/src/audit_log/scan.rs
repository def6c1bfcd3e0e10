//! Going through what matches, newest first, with bounded work: by the counts of whole spans where there are some, entry
//! by entry where there are none.

use carnet_events::ids::Timestamp;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};

use super::AuditQuery;
use super::counts::{NOBODY, Span, start_of};
use super::query::name;
use crate::Error;

/// The most rows that are looked at for one answer.
pub(super) const MOST_ROWS: u32 = 200_000;

/// Entries that have much in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Group {
    /// When; the beginning of the span, if they are a span's.
    pub(super) at: i64,
    pub(super) kind: i64,
    /// Who; [`NOBODY`]: the service itself. Says nothing for a day's.
    pub(super) principal: i64,
    pub(super) count: u64,
}

/// A query, its texts replaced by their numbers.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    tenant: i64,
    kind: Option<i64>,
    principal: Option<i64>,
    export: Option<[u8; 16]>,
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Scope {
    /// `None` when the tenant has no entries at all. A type or person that no entry speaks of matches nothing.
    pub(super) fn of(tables: &Connection, query: &AuditQuery) -> Result<Option<Self>, Error> {
        let Some(tenant) = name(tables, query.tenant.as_str())? else {
            return Ok(None);
        };
        let number = |text: Option<&str>| -> Result<Option<i64>, Error> {
            let Some(text) = text else { return Ok(None) };
            Ok(Some(name(tables, text)?.unwrap_or(-1)))
        };
        let principal = query.principal.as_ref();
        Ok(Some(Self {
            tenant,
            kind: number(query.kind.as_deref())?,
            principal: number(principal.map(|principal| principal.as_str()))?,
            export: query.export.map(|id| id.as_uuid().into_bytes()),
            from: query.from.map_or(i64::MIN, Timestamp::as_millis),
            to: query.to.map_or(i64::MAX, Timestamp::as_millis),
        }))
    }

    pub(super) fn is_type(&self, group: &Group) -> bool {
        self.kind.is_none_or(|kind| kind == group.kind)
    }

    pub(super) fn is_person(&self, group: &Group) -> bool {
        let same = |principal| principal == group.principal;
        self.principal.is_none_or(same)
    }

    /// Whether a person is asked for.
    pub(super) fn has_person(&self) -> bool {
        self.principal.is_some()
    }

    /// Whether counts of whole spans can stand for their entries: exports are not counted.
    pub(super) fn has_counts(&self) -> bool {
        self.export.is_none()
    }

    /// The times of the oldest and the newest entry of the tenant or the export.
    pub(super) fn ends(&self, tables: &Connection) -> Result<Option<(i64, i64)>, Error> {
        let whole = Self {
            from: i64::MIN,
            to: i64::MAX,
            ..self.clone()
        };
        let end = |direction: &str| -> Result<Option<i64>, Error> {
            let (sql, parameters) = entries_sql(&whole, Narrow::ToExport, direction, 1);
            let mut statement = tables.prepare_cached(&sql)?;
            let mut rows = statement.query(params_from_iter(parameters))?;
            let row = rows.next()?;
            Ok(row.map(|row| row.get(0)).transpose()?)
        };
        Ok(end("ASC")?.zip(end("DESC")?))
    }
}

/// By what entries are looked up, besides tenant and time. Whatever else is asked for is for the visitor to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrow {
    /// By the export, if one is asked for.
    ToExport,
    /// By the export, else the person, else the type.
    Fully,
}

/// Goes through groups, newest first.
pub(super) struct Scan<'a> {
    tables: &'a Connection,
    scope: &'a Scope,
    narrow: Narrow,
    /// Rows that may still be looked at.
    left: u32,
    /// Where it ended when there were more rows than it may look at: from here on everything was seen.
    pub(super) ended: Option<i64>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(tables: &'a Connection, scope: &'a Scope, narrow: Narrow) -> Self {
        Self {
            tables,
            scope,
            narrow,
            left: MOST_ROWS,
            ended: None,
        }
    }

    /// All of the scope: whole spans by their counts, what is before and after them entry by entry.
    pub(super) fn spans(&mut self, span: Span, mut visit: impl FnMut(&Group)) -> Result<(), Error> {
        let (from, to, millis) = (self.scope.from, self.scope.to, span.millis());
        let first = match from {
            i64::MIN => from,
            from => start_of(from.saturating_add(millis - 1), millis),
        };
        let last = match to {
            i64::MAX => to,
            to => start_of(to, millis),
        };
        if !self.scope.has_counts() || first >= last {
            return self.entries(from, to, visit);
        }
        self.entries(last, to, &mut visit)?;
        self.whole_spans(span, first, last, &mut visit)?;
        self.entries(from, first, &mut visit)
    }

    /// Entry by entry, at or after `from` and before `to`.
    pub(super) fn entries(
        &mut self,
        from: i64,
        to: i64,
        visit: impl FnMut(&Group),
    ) -> Result<(), Error> {
        let scope = Scope {
            from,
            to,
            ..self.scope.clone()
        };
        let (sql, parameters) = entries_sql(&scope, self.narrow, "DESC", self.left + 1);
        self.rows(&sql, parameters, 1, visit)
    }

    fn whole_spans(
        &mut self,
        span: Span,
        from: i64,
        to: i64,
        visit: impl FnMut(&Group),
    ) -> Result<(), Error> {
        let (tenant, millis, limit) = (self.scope.tenant, span.millis(), i64::from(self.left) + 1);
        let parameters = [tenant, millis, from, to, limit].map(Sql::from);
        self.rows(SPANS, parameters.into(), millis, visit)
    }

    fn rows(
        &mut self,
        sql: &str,
        parameters: Vec<Sql>,
        span: i64,
        mut visit: impl FnMut(&Group),
    ) -> Result<(), Error> {
        if self.ended.is_some() {
            return Ok(());
        }
        let mut statement = self.tables.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            let group = Group {
                at: row.get(0)?,
                kind: row.get(1)?,
                principal: row.get(2)?,
                count: u64::try_from(row.get::<_, i64>(3)?).unwrap_or(0),
            };
            if self.left == 0 {
                self.ended = Some(group.at.saturating_add(span));
                break;
            }
            self.left -= 1;
            visit(&group);
        }
        Ok(())
    }
}

pub(super) const SPANS: &str = "SELECT start, type, principal, count FROM audit_counts
    WHERE tenant = ? AND span = ? AND start >= ? AND start < ? ORDER BY start DESC LIMIT ?";

/// Entries of a scope in the order of time. Each variant is answered by one index alone, but for the one by time.
pub(super) fn entries_sql(
    scope: &Scope,
    narrow: Narrow,
    direction: &str,
    limit: u32,
) -> (String, Vec<Sql>) {
    let by = match (scope.export, scope.principal, scope.kind) {
        (Some(export), _, _) => Some(("export", Sql::from(export.to_vec()))),
        (None, Some(principal), _) if narrow == Narrow::Fully => {
            Some(("principal", principal.into()))
        }
        (None, None, Some(kind)) if narrow == Narrow::Fully => Some(("type", kind.into())),
        (None, _, _) => None,
    };
    let mut parameters = vec![Sql::from(scope.tenant)];
    let condition = match by {
        Some((column, value)) => {
            parameters.push(value);
            format!("AND {column} = ?")
        }
        None => String::new(),
    };
    parameters.extend([scope.from, scope.to, limit.into()].map(Sql::from));
    let sql = format!(
        "SELECT at, type, coalesce(principal, {NOBODY}), 1 FROM audit_log
         WHERE tenant = ? {condition} AND at >= ? AND at < ? ORDER BY at {direction}, seq {direction} LIMIT ?"
    );
    (sql, parameters)
}
