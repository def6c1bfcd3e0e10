//! What a query's entries come to: by type, and by person.

use std::collections::{BTreeMap, HashMap};

use carnet_events::ids::{PrincipalId, Timestamp};
use rusqlite::Connection;
use serde::Serialize;

use super::AuditQuery;
use super::counts::{NOBODY, Span};
use super::scan::{Group, Narrow, Scan, Scope};
use crate::{Error, ProjectionName};

/// The most persons that [`AuditFacets`] names.
pub const MAX_PERSONS: usize = 50;

/// What a query's entries come to.
///
/// Each figure heeds every filter but the one it offers values for: `types` are counted as if no type were asked for,
/// `persons` as if no person were. The order asked for doesn't matter.
///
/// Exact, unless `counted_since` or `persons_counted_since` says otherwise. Most comes from counts that are kept: per day (UTC)
/// by type, per week by type and person. What the range has besides whole days or weeks, and all of one export's, is counted
/// entry by entry. At most 200,000 rows are looked at for the types and as many for the persons, newest first.
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
    /// Of `total` and `types`. `None`: everything is counted. Otherwise there was too much to look at, and what is older
    /// than this moment is counted in part or not at all: the figures are "at least".
    pub counted_since: Option<Timestamp>,
    /// The same of `persons` and `persons_total`.
    pub persons_counted_since: Option<Timestamp>,
}

impl AuditFacets {
    /// Whether some of the figures are lower bounds.
    #[must_use]
    pub fn at_least(&self) -> bool {
        self.counted_since.is_some() || self.persons_counted_since.is_some()
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
    let mut types = Types::default();
    let mut persons: HashMap<i64, u64> = HashMap::new();
    // With nobody asked for, days tell the types more exactly.
    let by_days = scope.has_counts() && !scope.has_person();
    let narrow = match by_days {
        true => Narrow::Fully,
        false => Narrow::ToExport,
    };
    let mut scan = Scan::new(tables, &scope, narrow);
    scan.spans(Span::Week, |group| {
        if scope.is_type(group) && group.principal != NOBODY {
            *persons.entry(group.principal).or_default() += group.count;
        }
        if !by_days && scope.is_person(group) {
            types.add(&scope, group);
        }
    })?;
    let persons_ended = scan.ended;
    let mut ended = persons_ended;
    if by_days {
        let mut scan = Scan::new(tables, &scope, Narrow::ToExport);
        scan.spans(Span::Day, |group| types.add(&scope, group))?;
        ended = scan.ended;
    }
    let Types { total, types } = types;
    let mut facets = AuditFacets {
        total,
        persons_total: persons.len() as u64,
        counted_since: ended.map(Timestamp::from_millis),
        persons_counted_since: persons_ended.map(Timestamp::from_millis),
        ..AuditFacets::default()
    };
    for (kind, count) in types {
        facets.types.insert(text(tables, kind)?, count);
    }
    facets.persons = most(tables, persons)?;
    Ok(facets)
}

/// Entries by type, and those of the type asked for.
#[derive(Default)]
struct Types {
    total: u64,
    types: HashMap<i64, u64>,
}

impl Types {
    fn add(&mut self, scope: &Scope, group: &Group) {
        if scope.is_type(group) {
            self.total += group.count;
        }
        *self.types.entry(group.kind).or_default() += group.count;
    }
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
    let mut select = tables.prepare_cached("SELECT text FROM audit_names WHERE id = ?")?;
    Ok(select.query_row([number], |row| row.get(0))?)
}

fn bad(reason: &impl ToString) -> Error {
    Error::BadRow {
        projection: ProjectionName::AuditLog,
        reason: reason.to_string(),
    }
}
