//! A client of the HTTP API, with one caller's token.

use std::sync::{Arc, RwLock};
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// A caller.
#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: Base,
    token: String,
}

/// Where the service is reached: `http://host:port`, another one after it was started anew.
pub(crate) type Base = Arc<RwLock<String>>;

/// What the service answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&self.body)))
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    /// A header as text; empty when it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The problem's code.
    pub(crate) fn code(&self) -> String {
        assert_eq!(
            self.header("content-type"),
            "application/problem+json",
            "{self:?}"
        );
        self.json()["code"].as_str().unwrap().to_owned()
    }

    /// It says that its read models are still catching up: as a problem, or on a page that may lack the newest.
    pub(crate) fn is_behind(&self) -> bool {
        let says = |words: &str| {
            let mut places = self.body.windows(words.len());
            places.any(|place| place == words.as_bytes())
        };
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => says("\"catching_up\"") || says(" is catching up"),
            StatusCode::OK => {
                let page = self.header("content-type").starts_with("text/html");
                page && says(" is catching up")
            }
            _ => false,
        }
    }

    /// Expects a status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(
            self.status.as_u16(),
            status,
            "{}",
            String::from_utf8_lossy(&self.body)
        );
        self
    }
}

impl Client {
    pub(crate) fn new(base: &str, token: &str) -> Self {
        let base = Arc::new(RwLock::new(base.to_owned()));
        Self::following(base, token, Duration::from_secs(60))
    }

    /// A client of a service that may be started anew elsewhere; it waits for an answer no longer than `patience`.
    pub(crate) fn following(base: Base, token: &str, patience: Duration) -> Self {
        // Decoding is left to the tests: they look at what was sent.
        let http = reqwest::Client::builder()
            .timeout(patience)
            .build()
            .unwrap();
        Self {
            http,
            base,
            token: token.to_owned(),
        }
    }

    /// The same, following no redirect.
    pub(crate) fn staying(&self) -> Self {
        let http = reqwest::Client::builder()
            .timeout(Duration::from_secs(60))
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            base: self.base.clone(),
            token: self.token.clone(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base.read().unwrap())
    }

    /// Sends any request; `None` when the connection fails.
    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Option<Answer> {
        let mut request = self.http.request(method, self.url(path));
        if !self.token.is_empty() {
            request = request.bearer_auth(&self.token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request
                .header("content-type", "application/json")
                .body(body);
        }
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status(), response.headers().clone());
        Some(Answer {
            status,
            headers,
            body: response.bytes().await.ok()?.to_vec(),
        })
    }

    /// Sends any request; what only reads is asked again while the service says that its read models are still catching
    /// up, for that is no failure on a busy machine.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Answer {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let answer = self.try_send(method.clone(), path, headers, body.clone());
            let answer = answer.await.expect("the service answers");
            if method != Method::GET || !answer.is_behind() || Instant::now() > patience {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `GET`, with the body left to be read as it comes.
    pub(crate) async fn open(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(self.url(path));
        request.bearer_auth(&self.token).send().await.unwrap()
    }

    /// `GET`.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, &[], None).await
    }

    /// Waits until the service says that it is ready, as after a storage works again.
    pub(crate) async fn becomes_ready(&self) {
        let patience = Instant::now() + Duration::from_secs(120);
        while self.get("/readyz").await.status != StatusCode::OK {
            assert!(Instant::now() < patience, "never ready");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `POST` with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, &[], Some(body.to_string()))
            .await
    }

    /// `POST` of a form, url-encoded, as a browser sends it; follows to where the answer leads.
    pub(crate) async fn post_form(&self, path: &str, form: &str) -> Answer {
        let request = self.http.post(self.url(path));
        let request = request.bearer_auth(&self.token).body(form.to_owned());
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let response = request.send().await.expect("the service answers");
        let (status, headers) = (response.status(), response.headers().clone());
        Answer {
            status,
            headers,
            body: response.bytes().await.unwrap().to_vec(),
        }
    }

    /// Asks for an export of `categories`.
    pub(crate) async fn create(&self, categories: &[&str]) -> Answer {
        self.post("/api/account-exports", json!({ "categories": categories }))
            .await
    }

    /// Asks for an export and waits until it is settled.
    pub(crate) async fn export(&self, categories: &[&str]) -> Value {
        let job = self.create(categories).await.expect(202).json();
        self.settled(job["id"].as_str().unwrap()).await
    }

    /// Waits until the export is settled.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let patience = Instant::now() + Duration::from_secs(120);
        loop {
            let job = self
                .get(&format!("/api/account-exports/{id}"))
                .await
                .expect(200)
                .json();
            match job["status"].as_str().unwrap() {
                "queued" | "running" => {
                    assert!(
                        Instant::now() < patience,
                        "not settled in two minutes: {job}"
                    );
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                _ => return job,
            }
        }
    }

    /// Waits until the export is in `status`.
    pub(crate) async fn reaches(&self, id: &str, status: &str) -> Value {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let path = format!("/api/account-exports/{id}");
            let job = self.get(&path).await.expect(200).json();
            if job["status"] == status {
                return job;
            }
            assert!(Instant::now() < patience, "never {status}: {job}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// `POST` without a body.
    pub(crate) async fn act(&self, path: &str) -> Answer {
        self.send(Method::POST, path, &[], None).await
    }

    /// The newest entries of the audit log of one type.
    pub(crate) async fn audit(&self, kind: &str) -> Vec<Value> {
        let path = format!("/api/audit-log?page_size=1000&type={kind}");
        let page = self.get(&path).await.expect(200).json();
        page["items"].as_array().unwrap().clone()
    }

    /// Waits until the audit log has `count` entries of a type: some are written after the answer.
    pub(crate) async fn audited(&self, kind: &str, count: usize) -> Vec<Value> {
        let patience = Instant::now() + Duration::from_secs(120);
        loop {
            let found = self.audit(kind).await;
            if found.len() >= count {
                return found;
            }
            assert!(Instant::now() < patience, "only these {kind}: {found:?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Downloads an export's JSON.
    pub(crate) async fn download(&self, id: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(
            Method::GET,
            &format!("/api/account-exports/{id}/download"),
            headers,
            None,
        )
        .await
    }
}
