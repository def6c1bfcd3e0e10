#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;
mod waiting;

use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::http::{Method, StatusCode, header};
use actix_web::{test, web};
use serde_json::Value;
use tokio::sync::Semaphore;

use super::*;
use carnet_events::ids::TenantId;
use carnet_events::stream::StreamName;
use support::{Broken, NOW, get, json, send, state, token, token_in};

#[actix_web::test]
async fn every_problem_has_a_page_and_is_listed() {
    let list = get("/problems", None).await;
    let list = String::from_utf8(to_bytes(list.into_body()).await.unwrap().to_vec()).unwrap();
    for code in Code::ALL {
        let page = get(&format!("/problems/{}", code.as_str()), None).await;
        assert_eq!(page.status(), StatusCode::OK);
        let policy = page
            .headers()
            .get(header::CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        assert!(
            policy.starts_with("default-src 'none'; style-src 'sha256-"),
            "{policy}"
        );
        let text = String::from_utf8(to_bytes(page.into_body()).await.unwrap().to_vec()).unwrap();
        assert!(text.contains(code.title()) && !text.contains("<script"));
        assert!(list.contains(code.as_str()));
        assert_eq!(Code::parse(code.as_str()), Some(*code));
    }
    assert_eq!(
        get("/problems/nonsense", None).await.status(),
        StatusCode::NOT_FOUND
    );
}

#[actix_web::test]
async fn a_problem_document_has_its_members_and_the_request_id() {
    let response = get("/nowhere", Some(&token(&["client_admin"]))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let headers = response.headers().clone();
    assert_eq!(
        headers.get(header::CONTENT_TYPE).unwrap(),
        "application/problem+json"
    );
    assert_eq!(
        headers.get(header::X_CONTENT_TYPE_OPTIONS).unwrap(),
        "nosniff"
    );
    let document = json(response).await;
    assert_eq!(document["type"], "/problems/not_found");
    assert_eq!(document["status"], 404);
    assert_eq!(document["code"], "not_found");
    assert_eq!(
        document["request_id"].as_str().unwrap(),
        headers.get("x-request-id").unwrap().to_str().unwrap()
    );
}

#[actix_web::test]
async fn strangers_are_led_to_sign_in_whatever_the_address() {
    for path in ["/", "/settings?section=data-exports", "/audit", "/nowhere"] {
        let response = get(path, None).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        let location = response.headers().get(header::LOCATION).unwrap();
        let location = location.to_str().unwrap();
        assert!(
            location.starts_with("/sign-in?return_to=%2F"),
            "{path}: {location}"
        );
    }
}

#[actix_web::test]
async fn every_api_path_needs_a_token_before_it_is_routed() {
    for path in [
        "/api",
        "/api/",
        "/api/nowhere",
        "/api/account-exports",
        "/%61pi/nowhere",
        "/api/%2e%2e/healthz",
        "/api/a/b/c?x=y",
    ] {
        let response = get(path, None).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            response.headers().get(header::WWW_AUTHENTICATE).unwrap(),
            "Bearer realm=\"carnet\""
        );
        let response = get(path, Some("nonsense")).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(
            response.headers().get(header::WWW_AUTHENTICATE).unwrap(),
            "Bearer realm=\"carnet\", error=\"invalid_token\""
        );
    }
    let nowhere = get("/api/nowhere", Some(&token(&["client_admin"]))).await;
    assert_eq!(nowhere.status(), StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn only_one_bearer_token_and_no_other_credential_counts() {
    let good = token(&["client_admin"]);
    let attempts: Vec<Vec<(&str, String)>> = vec![
        vec![("X-API-Key", good.clone())],
        vec![("Authorization", format!("Basic {good}"))],
        vec![("Authorization", "Bearer".to_owned())],
        vec![("Authorization", "Bearer ".to_owned())],
        vec![("Authorization", format!("Bearer {good} {good}"))],
        vec![
            ("Authorization", format!("Bearer {good}")),
            ("Authorization", format!("Bearer {good}")),
        ],
        vec![("Cookie", format!("token={good}"))],
    ];
    for headers in attempts {
        let mut request = test::TestRequest::get().uri("/api/x");
        for header in &headers {
            request = request.append_header((header.0, header.1.as_str()));
        }
        assert_eq!(
            send(&state(|_| ()).await, request).await.status(),
            StatusCode::UNAUTHORIZED,
            "{headers:?}"
        );
    }
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let request = test::TestRequest::get()
            .uri("/api/x")
            .insert_header(("Authorization", format!("{scheme} {good}")))
            .insert_header(("X-API-Key", "k"));
        assert_eq!(
            send(&state(|_| ()).await, request).await.status(),
            StatusCode::NOT_FOUND
        );
    }
}

#[actix_web::test]
async fn a_wrong_method_is_answered_with_those_allowed() {
    let response = send(
        &state(|_| ()).await,
        test::TestRequest::delete().uri("/healthz"),
    )
    .await;
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(
        response
            .headers()
            .get(header::ALLOW)
            .unwrap()
            .to_str()
            .unwrap()
            .contains("GET")
    );
    assert_eq!(json(response).await["code"], "method_not_allowed");
}

#[actix_web::test]
async fn an_overloaded_service_says_so_but_still_answers_probes() {
    let full = state(|state| state.requests = Arc::new(Semaphore::new(0))).await;
    let response = send(&full, test::TestRequest::get().uri("/problems")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers().get(header::RETRY_AFTER).unwrap(), "1");
    assert_eq!(json(response).await["code"], "overloaded");
    assert_eq!(
        send(&full, test::TestRequest::get().uri("/healthz"))
            .await
            .status(),
        StatusCode::OK
    );
}

#[actix_web::test]
async fn permits_come_back() {
    let state = state(|state| state.requests = Arc::new(Semaphore::new(1))).await;
    for _ in 0..3 {
        assert_eq!(
            send(&state, test::TestRequest::get().uri("/problems"))
                .await
                .status(),
            StatusCode::OK
        );
    }
}

#[actix_web::test]
async fn readiness_names_what_fails_but_not_why() {
    assert_eq!(get("/readyz", None).await.status(), StatusCode::OK);
    let broken = state(|state| state.ready.push(Arc::new(Broken))).await;
    let response = send(&broken, test::TestRequest::get().uri("/readyz")).await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let answer = json(response).await;
    assert_eq!(answer["checks"]["store"], "failed");
    assert!(!answer.to_string().contains("secret reason"));
}

#[actix_web::test]
async fn a_log_that_nobody_got_is_not_recorded_as_read() {
    let full = state(|state| state.streams = Streams::new(0)).await;
    let ask = |format: &str| {
        let bearer = format!("Bearer {}", token(&["client_admin"]));
        let uri = format!("/api/audit-log?format={format}");
        let request = test::TestRequest::get().uri(&uri);
        request.insert_header((header::AUTHORIZATION, bearer))
    };
    let records = StreamName::access(&TenantId::new("acme").unwrap(), NOW.month());
    for format in ["csv", "ndjson"] {
        let response = send(&full, ask(format)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(full.store.head(&records).await.unwrap(), None);
    }
    assert_eq!(send(&full, ask("json")).await.status(), StatusCode::OK);
    assert_eq!(full.store.head(&records).await.unwrap(), Some(0));
}

#[actix_web::test]
async fn metrics_are_for_operators() {
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let state = state(|state| state.metrics = Some(recorder.handle())).await;
    let ask = |token: Option<String>| {
        let mut request = test::TestRequest::get().uri("/metrics");
        if let Some(token) = token {
            request = request.insert_header((header::AUTHORIZATION, format!("Bearer {token}")));
        }
        request
    };
    assert_eq!(
        send(&state, ask(None)).await.status(),
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        send(&state, ask(Some(token(&["client_admin"]))))
            .await
            .status(),
        StatusCode::NOT_FOUND
    );
    // A role that a tenant gives to its own people makes nobody an operator.
    for (tenant, status) in [
        (Some("acme"), StatusCode::NOT_FOUND),
        (None, StatusCode::OK),
    ] {
        let token = token_in(tenant, &["operator"]);
        assert_eq!(send(&state, ask(Some(token))).await.status(), status);
    }
}

#[actix_web::test]
async fn a_panic_is_answered_and_hurts_nobody_else() {
    async fn boom() -> HttpResponse {
        panic!("a defect")
    }
    let state = state(|state| state.requests = Arc::new(Semaphore::new(1))).await;
    let app = actix_web::App::new()
        .app_data(state.clone())
        .service(readable!("/boom", boom))
        .wrap(from_fn(observe::observe));
    let app = test::init_service(app).await;
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let _counting = metrics::set_default_local_recorder(&recorder);
    let usual = get("/healthz", None).await;
    for _ in 0..2 {
        let error =
            test::try_call_service(&app, test::TestRequest::get().uri("/boom").to_request())
                .await
                .unwrap_err();
        let response = error.error_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        for name in usual.headers().keys() {
            assert!(response.headers().contains_key(name), "{name} is missing");
        }
        let body = to_bytes(response.into_body()).await.unwrap();
        let document: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(document["code"], "internal");
        assert!(!document.to_string().contains("a defect"));
    }
    let head = test::TestRequest::default().method(Method::HEAD);
    let error = test::try_call_service(&app, head.uri("/boom").to_request()).await;
    let response = error.unwrap_err().error_response();
    assert!(response.headers().contains_key(header::CONTENT_LENGTH));
    assert!(to_bytes(response.into_body()).await.unwrap().is_empty());

    let counted = r#"carnet_http_requests_total{method="GET",route="/boom",status="500"} 2"#;
    let metrics = recorder.handle().render();
    assert!(metrics.contains(counted), "{metrics}");
    assert_eq!(state.requests.available_permits(), 1);
}

#[actix_web::test]
async fn the_description_is_whole_and_the_page_shows_it() {
    let document = json(get("/openapi.json", None).await).await;
    let page = get("/docs", None).await;
    assert!(
        page.headers()
            .get(header::CONTENT_SECURITY_POLICY)
            .unwrap()
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let page = String::from_utf8(to_bytes(page.into_body()).await.unwrap().to_vec()).unwrap();
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("href=\"http"));
    let mut ids = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(page.contains(path.as_str()), "{path}");
        for operation in operations.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            assert!(operation["responses"]["default"].is_object());
        }
    }
    ids.sort();
    let count = ids.len();
    ids.dedup();
    assert_eq!((ids.len(), count), (34, 34), "{ids:?}");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(
            document["components"]["schemas"][name].is_object(),
            "{name}"
        );
    }
}
