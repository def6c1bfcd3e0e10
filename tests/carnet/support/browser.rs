//! A browser, as far as sessions go: keeps cookies, follows nothing by itself, says where its requests come from.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder, redirect};

use super::Answer;

/// What a browser sends along with forms of the site itself.
const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A browser with its cookies.
#[derive(Clone)]
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    pub(crate) cookies: BTreeMap<String, String>,
}

impl Browser {
    pub(crate) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            http,
            base: base.to_owned(),
            cookies: BTreeMap::new(),
        }
    }

    /// The same browser, led to another node by the address they share.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self {
            base: base.to_owned(),
            ..self.clone()
        }
    }

    /// Signs in as a person of the demo.
    pub(crate) async fn choose(&mut self, person: &str) -> Answer {
        self.post("/demo/sign-in", &[("as", person)]).await
    }

    /// The session's cookie.
    pub(crate) fn session(&self) -> String {
        self.cookies["__Host-carnet"].clone()
    }

    /// Goes to a page, again while it says that it may lack the newest: that is no failure on a busy machine.
    pub(crate) async fn get(&mut self, path: &str) -> Answer {
        let patience = Instant::now() + Duration::from_secs(60);
        loop {
            let asked = self.send(Method::GET, path, &[("accept", "text/html")], None);
            let answer = asked.await;
            if !answer.is_behind() || Instant::now() > patience {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// `GET`, with the body left to be read as it comes.
    pub(crate) async fn open(&self, path: &str) -> reqwest::Response {
        let request = self.http.get(format!("{}{path}", self.base));
        let response = self.with_cookies(request).send().await.unwrap();
        assert_eq!(response.status().as_u16(), 200, "{path}");
        response
    }

    /// Sends a form of the site itself, without the token.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        self.send(Method::POST, path, &[OURS], Some(fields)).await
    }

    /// Sends a form of the site itself with the session's token, as it stands on the page at `from`.
    pub(crate) async fn submit(&mut self, from: &str, path: &str) -> Answer {
        let token = self.token(from).await;
        self.post(path, &[("csrf", &token)]).await
    }

    /// The token in the forms of the page at `path`.
    pub(crate) async fn token(&mut self, path: &str) -> String {
        let page = self.get(path).await.expect(200).text();
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap();
        rest.split_once('"').unwrap().0.to_owned()
    }

    /// Sends a form or nothing with these headers.
    pub(crate) async fn send(
        &mut self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        form: Option<&[(&str, &str)]>,
    ) -> Answer {
        let address = if path.starts_with("http://") {
            path.to_owned()
        } else {
            format!("{}{path}", self.base)
        };
        let mut request = self.http.request(method, address);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(form) = form {
            let body = reqwest::Url::parse_with_params("http://form.example", form).unwrap();
            request = request
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.query().unwrap_or_default().to_owned());
        }
        self.answered(request).await
    }

    /// Sends JSON with these headers.
    pub(crate) async fn json(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        body: &serde_json::Value,
    ) -> Answer {
        let mut request = self.http.post(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answered(request.json(body)).await
    }

    fn with_cookies(&self, request: RequestBuilder) -> RequestBuilder {
        if self.cookies.is_empty() {
            return request;
        }
        let cookies: Vec<_> = self
            .cookies
            .iter()
            .map(|(k, v)| format!("{k}={v}"))
            .collect();
        request.header("cookie", cookies.join("; "))
    }

    async fn answered(&mut self, request: RequestBuilder) -> Answer {
        let response = self.with_cookies(request).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.ends_with("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Answer {
            status,
            headers,
            body: response.bytes().await.unwrap().to_vec(),
        }
    }
}
