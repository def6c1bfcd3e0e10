//! Exports of all tenants, for operators.

use carnet_events::domain::export::Status;
use carnet_events::ids::TenantId;
use rusqlite::{Connection, named_params};

use super::query::{COLUMNS, name, read};
use super::tables::code;
use super::{ExportRow, MAX_PAGE_SIZE};
use crate::Error;
use crate::worklist::Mark;

/// Which exports of all tenants are asked for, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EverywhereQuery {
    /// Only those of this tenant.
    pub tenant: Option<TenantId>,
    /// Only those with this status, as recorded.
    pub status: Option<Status>,
    /// Only those that failed with this code.
    pub code: Option<String>,
    /// Only those asked for before this one, which is the last of the page before.
    pub before: Option<Mark>,
    /// Rows of a page, 1 to [`MAX_PAGE_SIZE`]; what is beyond becomes the nearest of them.
    pub page_size: u32,
}

/// A page of exports of all tenants.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EverywherePage {
    /// The rows, newest first.
    pub rows: Vec<ExportRow>,
    /// Whether older ones follow.
    pub more: bool,
}

pub(super) fn list(tables: &Connection, query: &EverywhereQuery) -> Result<EverywherePage, Error> {
    let tenant = match &query.tenant {
        None => None,
        Some(tenant) => match name(tables, tenant.as_str())? {
            Some(tenant) => Some(tenant),
            None => return Ok(EverywherePage::default()),
        },
    };
    let size = query.page_size.clamp(1, MAX_PAGE_SIZE) as usize;
    let before = query.before.as_ref();
    let before = before.map(|mark| (mark.at.as_millis(), mark.export.as_uuid().into_bytes()));
    let (at, id) = before.unwrap_or((i64::MAX, [u8::MAX; 16]));
    let mut statement = tables.prepare_cached(&page_sql(query))?;
    let mut rows = statement.query(named_params! {
        ":tenant": tenant, ":code": query.code, ":at": at, ":id": id, ":limit": i64::from(query.page_size.clamp(1, MAX_PAGE_SIZE)) + 1,
    })?;
    let mut page = Vec::new();
    while let Some(row) = rows.next()? {
        page.push(read(tables, row)?);
    }
    let more = page.len() > size;
    page.truncate(size);
    Ok(EverywherePage { rows: page, more })
}

/// A page of the list. Every parameter is in every variant.
pub(super) fn page_sql(query: &EverywhereQuery) -> String {
    let tenant = match query.tenant {
        Some(_) => "tenant = :tenant",
        None => ":tenant IS NULL",
    };
    // Only failed ones have a code. Of these there may be far fewer than of those with the status: so that is not looked
    // up in an index.
    let (failed, plain) = match query.code {
        Some(_) => ("code = :code", "+"),
        None => (":code IS NULL", ""),
    };
    let status = query.status.map_or_else(String::new, |status| {
        format!("AND {plain}status = {}", code(status))
    });
    format!(
        "SELECT {COLUMNS} FROM exports WHERE {tenant} {status} AND {failed} AND (created_at, id) < (:at, :id)
         ORDER BY created_at DESC, id DESC LIMIT :limit"
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use carnet_events::domain::export::{ExportEvent, Failed};
    use carnet_events::ids::ExportId;

    use super::*;
    use crate::tests::given::{
        World, completed, export, principal, request, started, tenant, time,
    };
    use crate::tests::plans;

    #[test]
    fn every_filter_finds_its_page_by_an_index() {
        let tables = plans::tables();
        for tenant in [None, Some(tenant("acme"))] {
            for status in Status::ALL.map(Some).into_iter().chain([None]) {
                let query = EverywhereQuery {
                    tenant: tenant.clone(),
                    status,
                    ..EverywhereQuery::default()
                };
                plans::assert_searched(&tables, &page_sql(&query));
            }
        }
        let by_code = EverywhereQuery {
            code: Some("stalled".to_owned()),
            ..EverywhereQuery::default()
        };
        let plan = plans::plan(&tables, &page_sql(&by_code));
        assert!(plan[0].contains("exports_everywhere_by_code"), "{plan:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn pages_hold_every_export_of_every_tenant_once() {
        let mut world = World::new();
        let projections = world.start().await;
        for number in 0..20 {
            let tenant = tenant(["acme", "globex"][number as usize % 2]);
            let (id, at) = (export(number), |plus| time(number as i64 / 3 * 10 + plus));
            let requested = ExportEvent::Requested(request(&tenant, &principal("ann")));
            world.export(id, &tenant, at(0), requested).await;
            world.export(id, &tenant, at(1), started(1)).await;
            let failed = |code: &str| {
                ExportEvent::Failed(Failed {
                    attempt: Some(1),
                    code: code.to_owned(),
                    parameters: Default::default(),
                    principal: None,
                })
            };
            let end = match number % 4 {
                0 => completed(1, None),
                1 => failed("stalled"),
                _ => failed("schema_drift"),
            };
            world.export(id, &tenant, at(2), end).await;
        }
        world.settle(&projections).await;
        let all = async |mut query: EverywhereQuery| {
            let mut ids: Vec<ExportId> = Vec::new();
            loop {
                let page = projections
                    .exports()
                    .everywhere(query.clone())
                    .await
                    .unwrap();
                assert!(page.rows.len() <= 3);
                ids.extend(page.rows.iter().map(|row| row.id));
                let Some(last) = page.rows.last().filter(|_| page.more) else {
                    return ids;
                };
                query.before = Some(Mark {
                    at: last.export.created_at,
                    export: last.id,
                });
            }
        };
        let query = EverywhereQuery {
            page_size: 3,
            ..EverywhereQuery::default()
        };
        let everything = all(query.clone()).await;
        assert_eq!(everything, (0..20).rev().map(export).collect::<Vec<_>>());
        let of = |keep: fn(&u128) -> bool| (0..20).filter(keep).rev().map(export);
        let stalled = EverywhereQuery {
            code: Some("stalled".to_owned()),
            ..query.clone()
        };
        assert!(
            all(stalled)
                .await
                .into_iter()
                .eq(of(|number| number % 4 == 1))
        );
        let drifted_at_globex = EverywhereQuery {
            tenant: Some(tenant("globex")),
            status: Some(Status::Failed),
            code: Some("schema_drift".to_owned()),
            ..query.clone()
        };
        assert!(
            all(drifted_at_globex)
                .await
                .into_iter()
                .eq(of(|number| number % 4 == 3))
        );
        let elsewhere = EverywhereQuery {
            tenant: Some(tenant("nowhere")),
            ..query
        };
        assert!(all(elsewhere).await.is_empty());
    }
}
