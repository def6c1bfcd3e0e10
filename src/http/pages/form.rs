//! What forms have in common.

use actix_web::{HttpRequest, web};
use maud::{Markup, html};

use crate::auth::Caller;
use crate::http::problem::Problem;
use crate::http::{body, csrf};

const CSRF: &str = "csrf";

/// The hidden field that shows that a form came from a page of ours. Bearer tokens need none: no browser sends one by
/// itself.
pub(super) fn csrf_field(caller: &Caller) -> Markup {
    html! {
        @if let Some(token) = caller.csrf() {
            input type="hidden" name=(CSRF) value=(token);
        }
    }
}

/// A form that came from a page of ours.
#[derive(Debug)]
pub(super) struct Form(Vec<(String, String)>);

impl Form {
    /// Reads a form. Whoever calls this has decided access before.
    ///
    /// # Errors
    /// When it can't be read, or wasn't sent by a page of ours.
    pub(super) async fn read(
        request: &HttpRequest,
        payload: web::Payload,
        caller: &Caller,
    ) -> Result<Self, Problem> {
        csrf::check_origin(request, caller)?;
        let form = Self(body::form(request, payload).await?);
        csrf::check_form(request, caller, form.get(CSRF))?;
        Ok(form)
    }

    /// Reads the form of somebody who isn't signed in yet.
    ///
    /// # Errors
    /// When it can't be read, or another site sent it.
    pub(super) async fn read_from_stranger(
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<Self, Problem> {
        csrf::check_stranger(request)?;
        Ok(Self(body::form(request, payload).await?))
    }

    /// The first field called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(field, _)| field == name);
        field.map(|(_, value)| value.as_str())
    }

    /// The first field called `name`, unless it was left empty.
    pub(super) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name)
            .map(str::trim)
            .filter(|text| !text.is_empty())
    }

    /// Every field called `name`, in the form's order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(field, _)| field == name)
            .map(|(_, value)| value.as_str())
    }
}
