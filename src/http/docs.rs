//! `/docs`: the API's description as a page. Made here from the description itself; nothing is fetched, no script runs.

use actix_web::HttpResponse;
use maud::{Markup, html};
use serde_json::Value;

use super::openapi::document;
use super::page::page;

pub(super) async fn get() -> HttpResponse {
    let api = document();
    page(
        "API",
        &html! {
            h1 { "Carnet's API" }
            p { (text(&api["info"]["description"])) }
            p { a href="/openapi.json" { "openapi.json" } " · " a href="/problems" { "problems" } }
            p { "Send a bearer token with every request: " code { "Authorization: Bearer …" } }
            @for (path, operations) in members(&api["paths"]) {
                @for (method, operation) in members(operations) {
                    (describe(path, method, operation))
                }
            }
            h2 { "Schemas" }
            @for (name, schema) in members(&api["components"]["schemas"]) {
                (schema_table(name, schema))
            }
        },
    )
}

fn describe(path: &str, method: &str, operation: &Value) -> Markup {
    let parameters = operation["parameters"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let body = &operation["requestBody"]["content"]["application/json"]["schema"];
    html! {
        h2 id=(text(&operation["operationId"])) { span.method { (method.to_ascii_uppercase()) } " " code { (path) } }
        p { (text(&operation["summary"])) " " (text(&operation["description"])) }
        @if !parameters.is_empty() {
            table {
                tr { th { "Parameter" } th { "In" } th { "" } }
                @for parameter in parameters {
                    tr { td { code { (text(&parameter["name"])) } } td { (text(&parameter["in"])) } td { (text(&parameter["description"])) } }
                }
            }
        }
        @if !body.is_null() {
            p { "Body: " (reference(body)) }
        }
        table {
            tr { th { "Status" } th { "Answer" } }
            @for (status, response) in members(&operation["responses"]) {
                tr { td { (status) } td { (text(&response["description"])) " " (reference(&response["content"]["application/json"]["schema"])) } }
            }
        }
    }
}

fn schema_table(name: &str, schema: &Value) -> Markup {
    html! {
        h2 id={ "schema-" (name) } { (name) }
        p { (text(&schema["description"])) }
        table {
            @for (property, of) in members(&schema["properties"]) {
                tr { td { code { (property) } } td { (kind(of)) } td { (text(&of["description"])) } }
            }
        }
    }
}

fn kind(of: &Value) -> Markup {
    let alternatives = ["oneOf", "anyOf"]
        .iter()
        .find_map(|key| of[*key].as_array());
    html! {
        @if let Some(alternatives) = alternatives {
            @for one in alternatives { (kind(one)) " " }
        } @else if of["items"].is_object() {
            "array of " (kind(&of["items"]))
        } @else if let Some(types) = of["type"].as_array() {
            @for one in types { (text(one)) " " }
        } @else {
            (text(&of["type"])) (reference(of))
        }
    }
}

fn reference(schema: &Value) -> Markup {
    let name = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    html! { @if let Some(name) = name { a href={ "#schema-" (name) } { (name) } } }
}

fn members(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
