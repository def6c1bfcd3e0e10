//! The frame of the few pages this layer serves: text, one small style sheet in the page, nothing fetched, no script.

use actix_web::HttpResponse;
use actix_web::http::header;
use aws_lc_rs::digest;
use base64::Engine as _;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b;background:#fff}\
code,pre{font:14px/1.5 ui-monospace,monospace;background:#f2f2f2;border-radius:3px;padding:.1em .3em;overflow-wrap:anywhere}\
pre{padding:.8em;overflow-x:auto}h1{font-size:1.6rem}h2{margin-top:2.5rem;font-size:1.15rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.35em .7em .35em 0;border-bottom:1px solid #ddd}\
.method{display:inline-block;min-width:4em;font-weight:600}\
@media(prefers-color-scheme:dark){body{color:#e8e8e8;background:#161616}code,pre{background:#2a2a2a}a{color:#8ab4f8}th,td{border-color:#444}}";

/// A page with `title`; the policy allows its own style sheet, by hash, and nothing else.
pub(super) fn page(title: &str, content: &Markup) -> HttpResponse {
    let body = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · Carnet" }
                style { (PreEscaped(STYLE)) }
            }
            body { (content) }
        }
    };
    let hash = base64::engine::general_purpose::STANDARD
        .encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    HttpResponse::Ok()
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CONTENT_SECURITY_POLICY, format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")))
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .body(body.into_string())
}
