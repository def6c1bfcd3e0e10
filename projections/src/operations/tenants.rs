//! What operators did to tenants: closed ones, and exemptions.

use carnet_events::domain::tenant::{ExemptionGranted, LimitKind, TenantEvent};
use carnet_events::ids::{PrincipalId, TenantId, Timestamp};
use rusqlite::{Connection, params};
use serde::Serialize;

use super::bad;
use crate::Error;
use crate::database::names::Names;

/// A tenant that an operator closed: nothing of it is exported or downloaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClosedTenant {
    /// Which.
    pub tenant: TenantId,
    /// Who closed it.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
}

/// An exemption: an operator lets more requests of a tenant through than the limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exemption {
    /// Whose.
    pub tenant: TenantId,
    /// Its id, unique within the tenant.
    pub id: String,
    /// Which limit it widens.
    pub limit: LimitKind,
    /// Requests that it lets through.
    pub count: u32,
    /// Requests that it has let through.
    pub used: u32,
    /// Until when.
    pub until: Timestamp,
    /// Who granted it.
    pub by: PrincipalId,
    /// When.
    pub at: Timestamp,
    /// The one person it is for; `None`: whoever of the tenant needs it first.
    pub person: Option<PrincipalId>,
}

/// Takes in what an event says of tenants; most say nothing. Rare enough to be written at once.
pub(super) fn apply(
    tables: &Connection,
    names: &mut Names,
    tenant: &TenantId,
    at: Timestamp,
    event: &TenantEvent,
) -> rusqlite::Result<()> {
    match event {
        TenantEvent::Closed(closed) => {
            let tenant = names.id(tables, tenant.as_str())?;
            let close = "INSERT OR REPLACE INTO operations_closed VALUES (?, ?, ?)";
            let by = closed.principal.as_str();
            tables
                .prepare_cached(close)?
                .execute(params![tenant, by, at.as_millis()])?;
        }
        TenantEvent::Reopened(_) => {
            let tenant = names.id(tables, tenant.as_str())?;
            let reopen = "DELETE FROM operations_closed WHERE tenant = ?";
            tables.prepare_cached(reopen)?.execute([tenant])?;
        }
        TenantEvent::ExemptionGranted(granted) => {
            let tenant = names.id(tables, tenant.as_str())?;
            let grant =
                "INSERT OR IGNORE INTO operations_exemptions VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?)";
            grant_one(tables, grant, tenant, at, granted)?;
        }
        TenantEvent::ExportAdmitted(_)
        | TenantEvent::ExportReleased(_)
        | TenantEvent::Cancelled(_)
        | TenantEvent::Reactivated(_)
        | TenantEvent::PurgeStarted(_)
        | TenantEvent::Purged(_)
        | TenantEvent::ModuleSwitched(_)
        | TenantEvent::ScheduleSet(_)
        | TenantEvent::ScheduleSkipped(_) => {}
    }
    Ok(())
}

/// Exemptions were used up for a request that was let in.
pub(super) fn spend(
    tables: &Connection,
    names: &mut Names,
    tenant: &TenantId,
    exemptions: &[String],
) -> rusqlite::Result<()> {
    for id in exemptions {
        let tenant = names.id(tables, tenant.as_str())?;
        let spend = "UPDATE operations_exemptions SET used = used + 1 WHERE tenant = ? AND id = ?";
        tables.prepare_cached(spend)?.execute(params![tenant, id])?;
    }
    Ok(())
}

fn grant_one(
    tables: &Connection,
    sql: &str,
    tenant: i64,
    at: Timestamp,
    granted: &ExemptionGranted,
) -> rusqlite::Result<()> {
    let of_tenant = granted.limit == LimitKind::Tenant;
    tables
        .prepare_cached(sql)?
        .execute(params![
            tenant,
            granted.id,
            of_tenant,
            granted.count,
            granted.until.as_millis(),
            granted.principal.as_str(),
            at.as_millis(),
            granted.person.as_ref().map(PrincipalId::as_str),
        ])
        .map(drop)
}

pub(super) const CLOSED: &str = "SELECT n.text, c.principal, c.at FROM operations_closed c
    CROSS JOIN operations_names n ON n.id = c.tenant ORDER BY c.at DESC LIMIT ?";

pub(super) fn closed(tables: &Connection, limit: u32) -> Result<Vec<ClosedTenant>, Error> {
    let mut select = tables.prepare_cached(CLOSED)?;
    let mut rows = select.query([limit])?;
    let mut closed = Vec::new();
    while let Some(row) = rows.next()? {
        closed.push(ClosedTenant {
            tenant: tenant(row.get(0)?)?,
            by: principal(row.get(1)?)?,
            at: Timestamp::from_millis(row.get(2)?),
        });
    }
    Ok(closed)
}

pub(super) const EXEMPTIONS: &str =
    "SELECT n.text, e.id, e.of_tenant, e.count, e.used, e.until, e.principal, e.at,
     e.person FROM operations_exemptions e
     CROSS JOIN operations_names n ON n.id = e.tenant WHERE e.until > ? ORDER BY e.at DESC LIMIT ?";

pub(super) fn exemptions(
    tables: &Connection,
    open_at: Option<Timestamp>,
    limit: u32,
) -> Result<Vec<Exemption>, Error> {
    let mut select = tables.prepare_cached(EXEMPTIONS)?;
    let after = open_at.map_or(i64::MIN, Timestamp::as_millis);
    let mut rows = select.query(params![after, limit])?;
    let mut exemptions = Vec::new();
    while let Some(row) = rows.next()? {
        exemptions.push(Exemption {
            tenant: tenant(row.get(0)?)?,
            id: row.get(1)?,
            limit: match row.get(2)? {
                true => LimitKind::Tenant,
                false => LimitKind::User,
            },
            count: row.get(3)?,
            used: row.get(4)?,
            until: Timestamp::from_millis(row.get(5)?),
            by: principal(row.get(6)?)?,
            at: Timestamp::from_millis(row.get(7)?),
            person: row
                .get::<_, Option<String>>(8)?
                .map(principal)
                .transpose()?,
        });
    }
    Ok(exemptions)
}

fn tenant(text: String) -> Result<TenantId, Error> {
    TenantId::new(text).map_err(|error| bad(&error))
}

fn principal(text: String) -> Result<PrincipalId, Error> {
    PrincipalId::new(text).map_err(|error| bad(&error))
}
