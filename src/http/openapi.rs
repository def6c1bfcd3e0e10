//! `/openapi.json`: the API's description, made from the code that answers.

use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::header;
use serde_json::{Value, json};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use super::codes::Code;
use super::cookies::SESSION;
use super::csrf::TOKEN;
use super::{account_exports, audit_log, health, operator};

#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        audit_log::get,
        health::healthz,
        health::readyz,
        health::metrics_for_operators
    ),
    info(
        title = "Carnet",
        description = "Account data exports whose history can be audited. Errors are problem documents (RFC 9457); each code is explained under /problems.",
        license(name = "MIT OR Apache-2.0")
    )
)]
struct Own;

/// The description as JSON, made once.
static DOCUMENT: LazyLock<Value> = LazyLock::new(make);

/// The description of the API, an OpenAPI 3.1 document.
pub fn document() -> &'static Value {
    &DOCUMENT
}

pub(super) async fn get() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "public, max-age=300"))
        .json(document())
}

fn make() -> Value {
    let mut api: OpenApi = Own::openapi();
    api.merge(account_exports::Api::openapi());
    api.merge(operator::Api::openapi());
    let mut document = serde_json::to_value(&api).unwrap_or_default();
    document["components"]["securitySchemes"] = json!({
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION, "description": "Made by signing in, in a browser."},
        "csrf": {"type": "apiKey", "in": "header", "name": TOKEN.as_str(), "description": "The session's token, as it stands in its pages' forms."},
    });
    document["components"]["schemas"]["Problem"] = problem();
    document["security"] = json!([{"bearer": []}, {"session": []}]);
    let operations = document["paths"]
        .as_object_mut()
        .into_iter()
        .flat_map(|paths| paths.values_mut());
    for (method, operation) in operations.flat_map(|path| path.as_object_mut()).flatten() {
        if method != "get" && operation.get("security").is_none() {
            operation["security"] = json!([{"bearer": []}, {"session": [], "csrf": []}]);
        }
        complete(operation);
    }
    document
}

/// Every operation may fail; the statuses it names itself are explained there, all have the same form.
fn complete(operation: &mut Value) {
    let content =
        json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let Some(responses) = operation["responses"].as_object_mut() else {
        return;
    };
    for (status, response) in responses.iter_mut() {
        if status.starts_with(['4', '5']) && response.get("content").is_none() {
            response["content"] = content.clone();
        }
    }
    responses.insert("default".to_owned(), json!({"description": "A problem: not signed in, not found, malformed, too much at once, or a fault of the service", "content": content}));
}

fn problem() -> Value {
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    json!({
        "type": "object",
        "description": "Why a request wasn't answered as asked. Some codes carry further members.",
        "required": ["type", "title", "status", "detail", "code", "request_id"],
        "properties": {
            "type": {"type": "string", "description": "`/problems/<code>`, a page that explains it"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "code": {"type": "string", "enum": codes},
            "request_id": {"type": "string", "format": "uuid"},
            "next_allowed_at": {"type": ["string", "null"], "format": "date-time"},
            "active_export_id": {"type": ["string", "null"], "format": "uuid"},
            "categories": {"type": "array", "items": {"type": "string"}},
        },
    })
}
