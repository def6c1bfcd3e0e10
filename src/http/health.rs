//! `/healthz`: the process answers. `/readyz`: it can do its work. `/metrics`: what it has been doing.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use futures::future::join_all;
use serde_json::{Map, Value, json};

use super::authenticate::SignedIn;
use super::codes::Code;
use super::operator::access::Operator;
use super::problem::Problem;
use super::state::AppState;
use super::viewer::turn_away;

/// A check that takes longer has failed.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The checks that failed when they were made last.
#[derive(Debug, Default)]
pub struct Failing(Mutex<BTreeSet<&'static str>>);

impl Failing {
    /// Takes note of how a check went; whether it went otherwise the time before.
    fn changed(&self, check: &'static str, failed: bool) -> bool {
        let mut failing = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match failed {
            true => failing.insert(check),
            false => failing.remove(check),
        }
    }
}

/// Whether the process answers.
#[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "Operation", security(()), responses((status = 200, description = "It does")))]
pub(super) async fn healthz() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"status": "ok"}))
}

/// 200 when everything works, else 503 and the names of what doesn't; reasons stand in the log.
#[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "Operation", security(()), responses(
    (status = 200, description = "Everything works"),
    (status = 503, description = "Something doesn't; `checks` names it"),
))]
pub(super) async fn readyz(state: web::Data<AppState>) -> HttpResponse {
    let outcomes = outcomes(&state).await;
    let ready = outcomes.iter().all(|(_, outcome)| outcome.is_ok());
    let word = |outcome: Result<(), String>| outcome.map_or("failed", |()| "ok");
    let checks: Map<String, Value> = outcomes
        .into_iter()
        .map(|(name, outcome)| (name.to_owned(), json!(word(outcome))))
        .collect();
    let mut response = if ready {
        HttpResponse::Ok()
    } else {
        HttpResponse::ServiceUnavailable()
    };
    response
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .json(json!({"status": if ready { "ready" } else { "not_ready" }, "checks": checks}))
}

/// What each check says now; the reasons are for operators and the log.
pub(super) async fn outcomes(state: &AppState) -> Vec<(&'static str, Result<(), String>)> {
    join_all(state.ready.iter().map(|check| async move {
        let outcome = tokio::time::timeout(CHECK_TIMEOUT, check.check()).await;
        let outcome = outcome.unwrap_or_else(|_| Err("took too long".to_owned()));
        // Told once: whoever asks, and how often, must not be able to fill the log.
        match (
            &outcome,
            state.failing.changed(check.name(), outcome.is_err()),
        ) {
            (Err(reason), true) => tracing::warn!(check = check.name(), reason, "not ready"),
            (Ok(()), true) => tracing::info!(check = check.name(), "ready again"),
            (_, false) => {}
        }
        (check.name(), outcome)
    }))
    .await
}

/// On the main listener metrics are for operators; to others the route isn't there.
#[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "Operation", responses((status = 200, description = "In Prometheus' text format", content_type = "text/plain")))]
pub(super) async fn metrics_for_operators(
    request: HttpRequest,
    caller: SignedIn,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    // Nothing is looked up for an operator: metrics are wanted most when the store is away.
    if !Operator::is(&caller.0) {
        return Err(turn_away(&state, caller.0, &request, "operator").await);
    }
    if state.config.server.metrics_listen.is_some() {
        return Err(Code::NotFound.into());
    }
    metrics_for_all(state).await
}

/// On a listener of their own, metrics are for whoever reaches it.
pub(super) async fn metrics_for_all(state: web::Data<AppState>) -> Result<HttpResponse, Problem> {
    let handle = state.metrics.as_ref().ok_or(Code::NotFound)?;
    Ok(HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(handle.render()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_told_of_when_it_begins_to_fail_and_when_it_ends() {
        let failing = Failing::default();
        let went = [false, true, true, true, false, false, true];
        let told = went.map(|failed| failing.changed("store", failed));
        assert_eq!(told, [false, true, false, false, true, false, true]);
        assert!(failing.changed("artifacts", true));
    }
}
