//! The running service, asked over HTTP: it alone writes its store, so what is to change goes through it.

use std::path::PathBuf;
use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::{ConfigFile, Failure, now};
use crate::auth::{TokenRequest, sign};

/// Where a token is looked for if no option names one.
const TOKEN: &str = "CARNET_TOKEN";
/// A token signed for one command.
const BRIEF: Duration = Duration::from_secs(5 * 60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TIMEOUT: Duration = Duration::from_secs(60);

/// Which service, and as whom.
#[derive(Debug, clap::Args)]
pub(super) struct Remote {
    /// The running service; `server.public_url` or `server.listen` of the configuration otherwise
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A file with an operator's token; the variable CARNET_TOKEN otherwise
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Sign a token for this operator with `auth.hs256_secret`
    #[arg(long = "as", value_name = "USER", conflicts_with = "token_file")]
    operator: Option<String>,
}

/// The running service.
pub(super) struct Service {
    http: reqwest::Client,
    base: String,
    token: String,
}

impl Remote {
    /// The service with a token for it; nothing is sent yet. The configuration is read only for what the options leave open: who has an address
    /// and a token needs no configuration.
    pub(super) fn service(&self, config: &ConfigFile) -> Result<Service, Failure> {
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .timeout(TIMEOUT)
            // A token is for the service that was named, not for where it points to.
            .redirect(Policy::none())
            .build()?;
        Ok(Service {
            http,
            base: self.base(config)?,
            token: self.token(config)?,
        })
    }

    /// Whether there is a token to be had.
    pub(super) fn has_token(&self) -> bool {
        self.operator.is_some() || self.token_file.is_some() || std::env::var_os(TOKEN).is_some()
    }

    fn base(&self, config: &ConfigFile) -> Result<String, Failure> {
        if let Some(url) = &self.url {
            return Ok(url.trim_end_matches('/').to_owned());
        }
        let config = config.load().map_err(|error| {
            Failure::Failed(format!("{error}\nor say where the service is with --url"))
        })?;
        let mut listen = config.server.listen;
        if config.server.public_url.is_some() {
            return Ok(config.server.public_url());
        }
        if listen.port() == 0 {
            return Err(Failure::Failed(
                "`server.listen` leaves the port open: say where the service is with --url"
                    .to_owned(),
            ));
        }
        if listen.ip().is_unspecified() {
            let own = match listen.is_ipv4() {
                true => std::net::Ipv4Addr::LOCALHOST.into(),
                false => std::net::Ipv6Addr::LOCALHOST.into(),
            };
            listen.set_ip(own);
        }
        Ok(format!("http://{listen}"))
    }

    fn token(&self, config: &ConfigFile) -> Result<String, Failure> {
        if let Some(file) = &self.token_file {
            let text = std::fs::read_to_string(file);
            let text =
                text.map_err(|error| Failure::Failed(format!("{}: {error}", file.display())))?;
            return Ok(text.trim().to_owned());
        }
        if let Some(operator) = &self.operator {
            let request = TokenRequest {
                tenant: None,
                user: operator.clone(),
                roles: vec!["operator".to_owned()],
                permissions: Vec::new(),
                ttl: BRIEF,
            };
            return Ok(sign(&config.load()?.auth, &request, now())?);
        }
        std::env::var(TOKEN).map_err(|_| {
            Failure::Failed(format!(
                "the service wants an operator's token: name it with --token-file, set {TOKEN}, or where \
                 `auth.hs256_secret` is configured have one signed with --as USER"
            ))
        })
    }
}

impl Service {
    pub(super) async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, Some(body)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let address = format!("{}{path}", self.base);
        let mut request = self.http.request(method, address).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| self.silent(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| self.silent(&error))?;
        let document = serde_json::from_slice::<Value>(&body).ok();
        match document {
            Some(document) if status.is_success() => Ok(document),
            document => Err(refused(&self.base, status, document.as_ref())),
        }
    }

    fn silent(&self, error: &reqwest::Error) -> Failure {
        let why = if error.is_timeout() {
            "it did not answer in time"
        } else if error.is_connect() {
            "nothing listens there, or the connection was refused"
        } else if error.is_builder() {
            "the address or the token has the wrong form"
        } else {
            "the connection broke"
        };
        Failure::Failed(format!(
            "no answer from {}: {why}; is the service running, and is this its address?",
            self.base
        ))
    }
}

/// A part of an address, whatever it has in it.
pub(super) fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// What a refusal means to whoever sits at the command line.
fn refused(base: &str, status: StatusCode, document: Option<&Value>) -> Failure {
    let text = |name: &str| {
        document
            .and_then(|document| document[name].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    Failure::Failed(match (status, text("code").as_str()) {
        (_, "") => format!(
            "{base} answered with status {}, and not as a Carnet service does",
            status.as_u16()
        ),
        (StatusCode::UNAUTHORIZED, _) => {
            "the service doesn't believe the token: it is expired, or made for another service"
                .to_owned()
        }
        (StatusCode::NOT_FOUND, _) => {
            "not found: there is no such thing, or the token is not an operator's (role `operator`, no tenant)"
                .to_owned()
        }
        (_, code) => format!("{} [{code}]", text("detail")),
    })
}
