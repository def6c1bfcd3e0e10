//! What of the log is asked for, as it stands in the page's address.
//!
//! The names are those of the API, so that a page and the files made from it have the same filters.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::web::Query;
use carnet_events::ids::{ExportId, PrincipalId};
use carnet_projections::audit_log::{AuditCursor, AuditQuery};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::super::units::moment;
use super::super::words::audit as words;
use crate::http::audit_log::{is_pseudonym, known_type};
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':');

/// The filters as they were typed. What else stands in the address is nothing to this page.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Typed {
    pub(super) from: String,
    pub(super) to: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) principal: String,
    pub(super) export_id: String,
    /// Entries older than this one.
    cursor: String,
    /// Entries newer than this one.
    newer: String,
}

/// Which page of what matches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Place {
    #[default]
    Newest,
    /// What comes after an entry, going back in time.
    Older(AuditCursor),
    /// What comes before an entry, going on in time.
    Newer(AuditCursor),
}

/// What is asked for, and what of it could not be understood.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) typed: Typed,
    /// What is wrong with a field, by its name in the address.
    pub(super) wrong: BTreeMap<&'static str, String>,
    pub(super) query: AuditQuery,
    pub(super) place: Place,
    /// The query string has more than it needs: empty fields of a form, a name in place of a pseudonym.
    pub(super) is_long_winded: bool,
}

impl Filter {
    /// Reads the query string. Fields that can't be read are named in `wrong`; the others apply.
    pub(super) async fn read(
        state: &AppState,
        viewer: &Viewer,
        request: &HttpRequest,
    ) -> Result<Self, Problem> {
        let mut filter = Self::new(viewer, query::<Typed>(request)?);
        let mut pairs = request.query_string().split('&');
        filter.is_long_winded = pairs.any(|pair| pair.ends_with('='));
        filter.check(state, viewer).await?;
        Ok(filter)
    }

    /// The filter of the page that a script's request comes from.
    pub(super) async fn of_current_page(
        state: &AppState,
        viewer: &Viewer,
        request: &HttpRequest,
    ) -> Result<Self, Problem> {
        let current = request.headers().get("hx-current-url");
        let typed = current
            .and_then(|url| url.to_str().ok()?.split_once('?'))
            .and_then(|(_, query)| Query::<Typed>::from_query(query).ok())
            .map(Query::into_inner);
        let mut filter = Self::new(viewer, typed.unwrap_or_default());
        filter.check(state, viewer).await?;
        Ok(filter)
    }

    fn new(viewer: &Viewer, typed: Typed) -> Self {
        Self {
            typed: typed.trimmed(),
            wrong: BTreeMap::new(),
            query: AuditQuery::new(viewer.tenant.clone()),
            place: Place::Newest,
            is_long_winded: false,
        }
    }

    async fn check(&mut self, state: &AppState, viewer: &Viewer) -> Result<(), Problem> {
        self.read_times();
        self.read_ids();
        self.read_place();
        self.read_person(state, viewer).await
    }

    fn read_times(&mut self) {
        for (name, typed, to) in [
            ("from", &self.typed.from, &mut self.query.from),
            ("to", &self.typed.to, &mut self.query.to),
        ] {
            if typed.is_empty() {
                continue;
            }
            match moment(typed) {
                Some(at) => {
                    self.is_long_winded |= at.to_string() != *typed;
                    *to = Some(at);
                }
                None => {
                    self.wrong.insert(name, words::NO_TIME.to_owned());
                }
            }
        }
        if let (Some(from), Some(to)) = (self.query.from, self.query.to)
            && from >= to
        {
            self.wrong.insert("to", words::TO_BEFORE_FROM.to_owned());
        }
    }

    fn read_ids(&mut self) {
        let (kind, export) = (&self.typed.kind, &self.typed.export_id);
        if !kind.is_empty() {
            match known_type(kind) {
                Ok(()) => self.query.kind = Some(kind.clone()),
                Err(_) => {
                    self.wrong.insert("type", words::NO_TYPE.to_owned());
                }
            }
        }
        if !export.is_empty() {
            match export.parse::<ExportId>() {
                Ok(id) => self.query.export = Some(id),
                Err(_) => {
                    self.wrong
                        .insert("export_id", words::NO_EXPORT_ID.to_owned());
                }
            }
        }
    }

    fn read_place(&mut self) {
        let (text, place): (_, fn(AuditCursor) -> Place) = match self.typed.newer.is_empty() {
            true => (&self.typed.cursor, Place::Older),
            false => (&self.typed.newer, Place::Newer),
        };
        if text.is_empty() {
            return;
        }
        match text.parse() {
            Ok(cursor) => self.place = place(cursor),
            Err(_) => {
                self.wrong.insert("cursor", words::NO_PLACE.to_owned());
            }
        }
    }

    /// People may be named by pseudonym or by the name that the directory knows; addresses hold the pseudonym alone.
    async fn read_person(&mut self, state: &AppState, viewer: &Viewer) -> Result<(), Problem> {
        let typed = &self.typed.principal;
        if typed.is_empty() {
            return Ok(());
        }
        if !is_pseudonym(typed) {
            let known = state.system.person(&viewer.tenant, typed).await?;
            if let Some(known) = known {
                self.is_long_winded = true;
                self.query.principal = Some(known);
                return Ok(());
            }
        }
        match PrincipalId::new(typed) {
            Ok(principal) if is_pseudonym(typed) => self.query.principal = Some(principal),
            _ => {
                self.wrong.insert("principal", words::NO_PERSON.to_owned());
            }
        }
        Ok(())
    }

    /// The page of the log that this is, in the shortest form.
    pub(super) fn address(&self) -> String {
        self.at(self.place)
    }

    /// Another page of what this filter admits.
    pub(super) fn at(&self, place: Place) -> String {
        let place = match place {
            Place::Newest => None,
            Place::Older(cursor) => Some(("cursor", cursor.to_string())),
            Place::Newer(cursor) => Some(("newer", cursor.to_string())),
        };
        address("/audit", &self.query, place)
    }

    /// The newest page with the filter changed.
    pub(super) fn with(&self, change: impl FnOnce(&mut AuditQuery)) -> String {
        let mut query = self.query.clone();
        change(&mut query);
        address("/audit", &query, None)
    }

    /// Whether anything is left out.
    pub(super) fn is_narrow(&self) -> bool {
        self.query != AuditQuery::new(self.query.tenant.clone())
    }
}

impl Typed {
    fn trimmed(self) -> Self {
        let trim = |text: String| text.trim().to_owned();
        Self {
            from: trim(self.from),
            to: trim(self.to),
            kind: trim(self.kind),
            principal: trim(self.principal),
            export_id: trim(self.export_id),
            cursor: self.cursor,
            newer: self.newer,
        }
    }
}

/// `path` with a filter and more in its query string.
pub(super) fn address(
    path: &str,
    query: &AuditQuery,
    more: impl IntoIterator<Item = (&'static str, String)>,
) -> String {
    let filters = [
        ("from", query.from.map(|from| from.to_string())),
        ("to", query.to.map(|to| to.to_string())),
        ("type", query.kind.clone()),
        (
            "principal",
            query.principal.as_ref().map(ToString::to_string),
        ),
        ("export_id", query.export.map(|export| export.to_string())),
    ];
    let pairs = filters
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .chain(more);
    let mut address = path.to_owned();
    for (at, (name, value)) in pairs.enumerate() {
        address.push(if at == 0 { '?' } else { '&' });
        address.push_str(name);
        address.push('=');
        address.extend(utf8_percent_encode(&value, ENCODED));
    }
    address
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use carnet_events::ids::TenantId;

    use super::*;

    #[test]
    fn addresses_hold_what_is_asked_and_nothing_that_breaks_them() {
        let query = AuditQuery {
            principal: PrincipalId::new("a&b=c \"<").ok(),
            ..AuditQuery::new(TenantId::new("acme").unwrap())
        };
        assert_eq!(
            address("/audit", &query, [("cursor", "1-2".to_owned())]),
            "/audit?principal=a%26b%3Dc%20%22%3C&cursor=1-2"
        );
    }
}
