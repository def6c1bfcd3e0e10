//! `/problems/<code>`: what happened and what to do, for every problem there is. The `type` of a problem document
//! leads here.

use actix_web::{HttpResponse, web};
use maud::html;

use super::codes::Code;
use super::page::page;
use super::problem::Problem;

pub(super) async fn all() -> HttpResponse {
    page(
        "Problems",
        &html! {
            h1 { "Problems" }
            p { "Every way in which a request can fail, and what to do about it." }
            table {
                tr { th { "Status" } th { "Code" } th { "Title" } }
                @for code in Code::ALL {
                    tr {
                        td { (code.status().as_u16()) }
                        td { a href={ "/problems/" (code.as_str()) } { code { (code.as_str()) } } }
                        td { (code.title()) }
                    }
                }
            }
        },
    )
}

pub(super) async fn one(code: web::Path<String>) -> Result<HttpResponse, Problem> {
    let code = Code::parse(&code).ok_or(Code::NotFound)?;
    Ok(page(
        code.title(),
        &html! {
            h1 { (code.title()) }
            p { code { (code.as_str()) } ", status " (code.status().as_u16()) }
            h2 { "What happened" }
            p { (code.happened()) }
            h2 { "What to do" }
            p { (code.remedy()) }
            p { a href="/problems" { "All problems" } }
        },
    ))
}
