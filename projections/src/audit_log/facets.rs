//! What a query's entries come to: by type, and by person.

use std::collections::{BTreeMap, HashMap};

use carnet_events::ids::{PrincipalId, Timestamp};
use rusqlite::Connection;
use serde::Serialize;

use super::AuditQuery;
use super::days::NOBODY;
use super::scan::{Narrow, Scan, Scope};
use crate::{Error, ProjectionName};

/// The most persons that [`AuditFacets`] names.
pub const MAX_PERSONS: usize = 50;

/// What a query's entries come to.
///
/// Each figure heeds every filter but the one it offers values for: `types` are counted as if no type were asked for,
/// `persons` as if no person were. The order asked for doesn't matter.
///
/// Exact, unless `counted_since` says otherwise. Whole days (UTC) come from counts kept per day, type and person;
/// what is left at both ends of the range, and all of one export's, from the entries. At most 200,000 rows of both are
/// looked at, newest first: some 50 ms at the very most.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AuditFacets {
    /// Entries that match the whole query.
    pub total: u64,
    /// Entries by type; types without any are left out.
    pub types: BTreeMap<String, u64>,
    /// The persons with the most entries, those first; at most [`MAX_PERSONS`]. What the service did by itself is nobody's.
    pub persons: Vec<PersonCount>,
    /// How many persons there are in all.
    pub persons_total: u64,
    /// `None`: everything is counted. Otherwise there was too much to look at, and what is older than this moment is
    /// counted in part or not at all: every figure is "at least".
    pub counted_since: Option<Timestamp>,
}

impl AuditFacets {
    /// Whether the figures are lower bounds.
    #[must_use]
    pub fn at_least(&self) -> bool {
        self.counted_since.is_some()
    }
}

/// A person, and how much of it they did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PersonCount {
    /// Who.
    pub principal: PrincipalId,
    /// Entries.
    pub count: u64,
}

pub(super) fn facets(tables: &Connection, query: &AuditQuery) -> Result<AuditFacets, Error> {
    let Some(scope) = Scope::of(tables, query)? else {
        return Ok(AuditFacets::default());
    };
    let mut total = 0;
    let mut types: HashMap<i64, u64> = HashMap::new();
    let mut persons: HashMap<i64, u64> = HashMap::new();
    let mut scan = Scan::new(tables, &scope, Narrow::ToExport);
    scan.days(|group| {
        let (is_type, is_person) = (scope.is_type(group), scope.is_person(group));
        if is_type && is_person {
            total += group.count;
        }
        if is_person {
            *types.entry(group.kind).or_default() += group.count;
        }
        if is_type && group.principal != NOBODY {
            *persons.entry(group.principal).or_default() += group.count;
        }
    })?;
    let mut facets = AuditFacets {
        total,
        persons_total: persons.len() as u64,
        counted_since: scan.ended.map(Timestamp::from_millis),
        ..AuditFacets::default()
    };
    for (kind, count) in types {
        facets.types.insert(text(tables, kind)?, count);
    }
    facets.persons = most(tables, persons)?;
    Ok(facets)
}

fn most(tables: &Connection, counts: HashMap<i64, u64>) -> Result<Vec<PersonCount>, Error> {
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_unstable_by_key(|(principal, count)| (std::cmp::Reverse(*count), *principal));
    counts.truncate(MAX_PERSONS);
    let mut persons = Vec::new();
    for (principal, count) in counts {
        let principal = PrincipalId::new(text(tables, principal)?).map_err(|error| bad(&error))?;
        persons.push(PersonCount { principal, count });
    }
    // Their numbers are by chance.
    persons.sort_by(|a, b| {
        let by_name = || a.principal.as_str().cmp(b.principal.as_str());
        b.count.cmp(&a.count).then_with(by_name)
    });
    Ok(persons)
}

/// The text that a number stands for.
fn text(tables: &Connection, number: i64) -> Result<String, Error> {
    let mut select = tables.prepare_cached("SELECT text FROM names WHERE id = ?")?;
    Ok(select.query_row([number], |row| row.get(0))?)
}

fn bad(reason: &impl ToString) -> Error {
    Error::BadRow {
        projection: ProjectionName::AuditLog,
        reason: reason.to_string(),
    }
}
