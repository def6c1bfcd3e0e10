//! A stand-in for an identity provider: it says what a test tells it to say when it is asked again about somebody.

use std::sync::{Arc, Mutex};

use actix_web::http::StatusCode;
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use serde_json::{Value, json};

/// What it says next.
#[derive(Clone)]
enum Says {
    /// That this is the person.
    Claims(Value),
    /// No, or that it can't say.
    Error(u16, String),
}

/// See the module.
pub(crate) struct ProviderStandIn {
    issuer: String,
    says: Arc<Mutex<Says>>,
}

impl ProviderStandIn {
    /// Starts it; it runs for as long as the test does.
    pub(crate) fn start() -> Self {
        let says = Arc::new(Mutex::new(Says::Error(500, "server_error".to_owned())));
        let answers = web::Data::from(Arc::clone(&says));
        let app = move || {
            App::new()
                .app_data(answers.clone())
                .route(
                    "/.well-known/openid-configuration",
                    web::get().to(configuration),
                )
                .route("/keys", web::get().to(keys))
                .route("/token", web::post().to(token))
                .route("/me", web::get().to(me))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let issuer = format!("http://{}", server.addrs()[0]);
        tokio::spawn(server.run());
        Self { issuer, says }
    }

    /// The section of a configuration that names it.
    pub(crate) fn config(&self) -> String {
        let issuer = &self.issuer;
        format!("[auth.oidc]\nissuer = \"{issuer}\"\nclient_id = \"carnet\"\n")
    }

    /// From now on it says that this is the person.
    pub(crate) fn vouches(&self, claims: Value) {
        *self.says.lock().unwrap() = Says::Claims(claims);
    }

    /// From now on it answers with this error of OAuth.
    pub(crate) fn answers(&self, status: u16, error: &str) {
        *self.says.lock().unwrap() = Says::Error(status, error.to_owned());
    }
}

async fn configuration(request: HttpRequest) -> HttpResponse {
    let base = format!("http://{}", request.app_config().local_addr());
    HttpResponse::Ok().json(json!({
        "issuer": base,
        "authorization_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"),
        "userinfo_endpoint": format!("{base}/me"),
        "jwks_uri": format!("{base}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
    }))
}

async fn keys() -> HttpResponse {
    HttpResponse::Ok().json(json!({ "keys": [] }))
}

async fn token(says: web::Data<Mutex<Says>>) -> HttpResponse {
    match says.lock().unwrap().clone() {
        Says::Claims(_) => HttpResponse::Ok().json(json!({
            "access_token": "an access token",
            "token_type": "Bearer",
            "refresh_token": "another refresh token",
        })),
        Says::Error(status, error) => HttpResponse::build(StatusCode::from_u16(status).unwrap())
            .json(json!({ "error": error })),
    }
}

async fn me(says: web::Data<Mutex<Says>>) -> HttpResponse {
    match says.lock().unwrap().clone() {
        Says::Claims(claims) => HttpResponse::Ok().json(claims),
        Says::Error(..) => HttpResponse::ServiceUnavailable().finish(),
    }
}
