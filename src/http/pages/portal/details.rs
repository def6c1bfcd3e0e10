//! `/settings/data-exports/{id}`: one export.

use actix_web::{HttpRequest, HttpResponse, web};
use carnet_actors::ExportView;
use carnet_events::domain::export::{Export, Published, Status};
use carnet_events::ids::Timestamp;
use maud::{Markup, html};
use serde::Deserialize;

use super::actions;
use super::history::{blocked, failure};
use super::people::People;
use super::present::{title, titles};
use super::stamps::Booklet;
use crate::http::account_exports::link::LinkView;
use crate::http::authenticate::SignedIn;
use crate::http::codes::Code;
use crate::http::pages::form::csrf_field;
use crate::http::pages::units::{bytes, grouped, lasting, precise, time};
use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::query::query;
use crate::http::state::AppState;
use crate::http::viewer::{Right, Viewer};

/// Checks a file without this program. The file is its own canonical form, so blanking one field is all there is to do;
/// the manifest stands last.
const SCRIPT: &str = r#"import hashlib, sys
head, _, tail = open(sys.argv[1], "rb").read().rpartition(b'"checksum":"sha256:')
print("sha256:" + hashlib.sha256(head + b'"checksum":"' + tail[64:]).hexdigest())
"#;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    notice: Option<String>,
}

pub(super) async fn page(
    request: HttpRequest,
    caller: SignedIn,
    id: web::Path<String>,
    state: web::Data<AppState>,
) -> Result<HttpResponse, Problem> {
    let viewer = Viewer::new(&state, caller.0, &request, Right::Export).await?;
    let found = viewer.find(&state, &id, "portal").await?;
    let asked: Asked = query(&request)?;
    let notice = asked.notice.as_deref().and_then(words::done);
    render(&state, &viewer, &found, None, notice).await
}

/// The page of an export that the viewer has found, with the link that was just made.
pub(super) async fn render(
    state: &AppState,
    viewer: &Viewer,
    found: &ExportView,
    link: Option<&LinkView>,
    notice: Option<&str>,
) -> Result<HttpResponse, Problem> {
    let export = &found.export;
    let tenant = state.system.tenant(&viewer.tenant).await?.tenant;
    let now = state.clock.now();
    let blocked = blocked(state, viewer, &tenant, export, now);
    let booklet = Booklet::read(state, viewer, found.id).await?;
    let mut people = People::new(state, viewer);
    let request = &export.request;
    let who = people.asker(request.origin, &request.principal).await?;
    let status = export.status_at(now);
    let reason = state.system.reason(&viewer.tenant, found.id).await?;
    let heading = titles(state, &request.categories).join(", ");
    let content = html! { div #details {
        @if let Some(text) = notice { p.notice role="status" { (text) } }
        p { a href="/settings?section=data-exports" { "← " (words::BACK) } }
        h1 { (heading) }
        p.actions {
            span.status.(status.as_str()) { (words::status(status)) }
            @if export.outcome().is_none() {
                a.button.quiet href={ "/settings/data-exports/" (found.id) "/cancel" } { (words::CANCEL) }
            }
        }
        @if let Some((happened, to_do)) = failure(state, export) {
            p.notice.bad { (happened) " " (to_do) }
        }
        dl.facts {
            dt { (words::ID) } dd { code { (found.id) } }
            dt { (words::ASKED_AT) } dd { (time(export.created_at)) }
            dt { (words::ASKED_BY) } dd { (who) }
            @if let Some(reason) = reason { dt { (words::REASON) } dd { (reason) } }
            @if let Some(scope) = &request.scope { dt { (words::SCOPE) } dd { (scope.id) } }
            @if let Some(at) = export.finished_at() { dt { (words::FINISHED_AT) } dd { (time(at)) } }
        }
        @if let Some(published) = export.published() {
            (file(viewer, found, published, link, blocked, now))
            (manifest(state, published))
        }
        section aria-labelledby="had" { h2 #had { (words::HAD) } (booklet.who_had()) }
        section aria-labelledby="booklet" { h2 #booklet { (words::BOOKLET) } (booklet.render()) }
        @if export.published().is_some() { (verify(found)) }
    } };
    let content = match export.outcome() {
        None => followed(found, &content),
        Some(_) => content,
    };
    Ok(actions::page(state, viewer, &heading, &content))
}

/// Fetches the page anew whenever something happens to the export, until it is settled.
fn followed(found: &ExportView, content: &Markup) -> Markup {
    let id = found.id;
    html! {
        div hx-ext="sse" sse-connect={ "/api/account-exports/" (id) "/events" } sse-close="end"
            hx-get={ "/settings/data-exports/" (id) } hx-trigger="sse:changed delay:200ms"
            hx-select="#details" hx-target="#details" hx-swap="outerHTML" {
            (content)
        }
    }
}

/// The file, and the ways to it.
fn file(
    viewer: &Viewer,
    found: &ExportView,
    published: &Published,
    link: Option<&LinkView>,
    blocked: Option<Code>,
    now: Timestamp,
) -> Markup {
    let (id, artifact) = (found.id, &published.artifact);
    let download = format!("/api/account-exports/{id}/download");
    let post = |what: &str| format!("/settings/data-exports/{id}/{what}");
    html! {
        section.card.file aria-labelledby="file" {
            h2 #file { (words::FILE) }
            @if blocked.is_none() {
                p.actions {
                    a.button.primary href=(download) download { (words::DOWNLOAD_JSON) }
                    a.button href={ (download) "?as=stored" } download { (words::download_stored(stored_name(found), &bytes(artifact.bytes))) }
                }
            }
            p { (available(&found.export, published, blocked, now)) }
            @if blocked == Some(Code::ArtifactDamaged) {
                p.actions { a.button.quiet href=(download) { (words::TRY_AGAIN) } }
            }
            @if let Some(link) = link { (ready(link)) }
            @if blocked.is_none() {
                div #link.links {
                    form method="post" action=(post("link")) {
                        (csrf_field(&viewer.caller))
                        button type="submit" { (words::MAKE_LINK) }
                        span.hint { (words::LINK_MEANS) }
                    }
                    form method="post" action=(post("revoke-links")) {
                        (csrf_field(&viewer.caller))
                        button.quiet type="submit" { (words::REVOKE) }
                        span.hint { (words::REVOKE_MEANS) }
                    }
                }
            }
        }
    }
}

fn stored_name(found: &ExportView) -> &'static str {
    use carnet_events::domain::request::Layer;
    match found.export.request.layers.first() {
        Some(Layer::Gzip) => ".json.gz",
        Some(Layer::Zstd) => ".json.zst",
        None => ".json",
    }
}

fn available(
    export: &Export,
    published: &Published,
    blocked: Option<Code>,
    now: Timestamp,
) -> Markup {
    let end = published.expires_at;
    html! {
        @match (blocked, end) {
            (None, Some(end)) => {
                (words::AVAILABLE) " " (words::UNTIL) (time(end)) " "
                span.muted { "(" (words::left_of_window(&lasting(end.since(now)))) ")" }
            }
            (None, None) => { (words::AVAILABLE) " " (words::NO_END) },
            (Some(Code::ArtifactDamaged), _) => (words::DAMAGED),
            (Some(_), Some(end)) if export.status_at(now) == Status::Expired => { (words::AVAILABLE) ": " (words::ENDED) (time(end)) },
            (Some(Code::TenantClosed), _) => (words::CLOSED),
            (Some(_), _) => (words::CHANGED),
        }
        @if export.held { " " (words::HELD) }
    }
}

/// The link that was just made.
fn ready(link: &LinkView) -> Markup {
    html! {
        div.notice.good role="status" {
            p { b { (words::LINK_READY) } }
            p { code #new-link { (link.url) } }
            p.actions {
                (copy(&link.url, "new-link"))
                @if let Ok(end) = link.expires_at.parse::<Timestamp>() { span { (words::LINK_ENDS) (time(end)) } }
            }
        }
    }
}

fn copy(text: &str, from: &str) -> Markup {
    html! {
        button.quiet.copy type="button" data-copy=(text) data-copied=(words::COPIED) data-copy-from=(from) { (words::COPY) }
    }
}

fn manifest(state: &AppState, published: &Published) -> Markup {
    let artifact = &published.artifact;
    let [category, rows, read_at, policy] = words::MANIFEST_COLUMNS;
    html! {
        section aria-labelledby="manifest" {
            h2 #manifest { (words::MANIFEST) }
            table.stacked {
                thead { tr { th scope="col" { (category) } th.number scope="col" { (rows) } th scope="col" { (read_at) } th scope="col" { (policy) } } }
                tbody {
                    @for (id, result) in &published.categories {
                        tr {
                            td data-label=(category) { (title(state, id)) }
                            td.number data-label=(rows) { (grouped(result.rows)) }
                            td data-label=(read_at) { (precise(result.read_at)) }
                            td data-label=(policy) { (short(&result.policy_digest.to_string(), id)) }
                        }
                    }
                }
            }
            dl.facts {
                (digest(words::CHECKSUM, "checksum", &artifact.checksum.to_string()))
                (digest(words::JSON_DIGEST, "json-digest", &artifact.json_sha256.to_string()))
                (digest(words::STORED_DIGEST, "stored-digest", &artifact.sha256.to_string()))
            }
        }
    }
}

fn digest(name: &str, id: &str, value: &str) -> Markup {
    html! {
        dt { (name) }
        dd { code id=(id) { (value) } " " (copy(value, id)) }
    }
}

/// A digest by its beginning, to be copied whole.
fn short(digest: &str, id: &str) -> Markup {
    let whole = format!("policy-{id}");
    html! {
        div {
            code id=(whole) title=(digest) { (digest.get(..19).unwrap_or(digest)) "…" }
            " " (copy(digest, &whole))
        }
    }
}

fn verify(found: &ExportView) -> Markup {
    let name = format!("carnet-{}.json", found.id);
    html! {
        section aria-labelledby="verify" {
            h2 #verify { (words::VERIFY) }
            p { (words::VERIFY_TOOL) }
            pre tabindex="0" { "carnet verify " (name) }
            p { (words::VERIFY_SELF) }
            pre tabindex="0" { "python3 - " (name) " <<'END'\n" (SCRIPT) "END" }
        }
    }
}
