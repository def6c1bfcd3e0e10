//! `[server]`: where the service listens and how much it takes on at once.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::duration::Span;
use super::error::Complaints;

/// `[server]`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Server {
    /// Address and port the API listens on.
    pub listen: SocketAddr,
    /// The service's address as its users see it; download links begin with it. Left out: `http://` and `listen`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// Address of a listener of its own for `/metrics`. Left out: `/metrics` stands behind the operator role.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metrics_listen: Option<SocketAddr>,
    /// Requests handled at once; the next is answered `503 overloaded`.
    pub max_requests: u32,
    /// Downloads and live event streams open at once; they live long, so they have a bound of their own.
    pub max_streams: u32,
    /// Open connections per HTTP thread.
    pub max_connections: u32,
    /// How long a client may take to send a request's head.
    pub request_timeout: Span,
    /// How long a silent connection is kept.
    pub keep_alive: Span,
    /// How long a client may leave sent bytes unread before its connection is closed.
    pub stall_timeout: Span,
    /// How long running requests and exports may take to end when the service is told to stop.
    pub shutdown_grace: Span,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: None,
            metrics_listen: None,
            max_requests: 512,
            max_streams: 512,
            max_connections: 4096,
            request_timeout: Span::seconds(10),
            keep_alive: Span::seconds(75),
            stall_timeout: Span::minutes(1),
            shutdown_grace: Span::seconds(30),
        }
    }
}

impl Server {
    /// The address links begin with, without a closing slash.
    pub fn public_url(&self) -> String {
        match &self.public_url {
            Some(url) => url.trim_end_matches('/').to_owned(),
            None => format!("http://{}", self.listen),
        }
    }

    pub(super) fn check(&self, at: &mut Complaints<'_>) {
        if let Some(url) = &self.public_url {
            let plain = url.parse::<actix_web::http::Uri>().ok().filter(|u| {
                matches!(u.scheme_str(), Some("http" | "https"))
                    && u.host().is_some_and(|h| !h.is_empty())
                    && u.query().is_none()
                    && matches!(u.path(), "" | "/")
            });
            if plain.is_none() || url.contains('@') {
                at.add(
                    "server.public_url",
                    format!("{url:?} is not a web address"),
                    "write scheme and host and no path, as in \"https://exports.example.org\"",
                );
            }
        }
        if self
            .metrics_listen
            .is_some_and(|metrics| metrics == self.listen && metrics.port() != 0)
        {
            at.add(
                "server.metrics_listen",
                "is the same address as `server.listen`",
                "give metrics another port, or leave the key out",
            );
        }
        at.within("server.max_requests", self.max_requests, 1, 100_000);
        at.within("server.max_streams", self.max_streams, 1, 100_000);
        at.within("server.max_connections", self.max_connections, 1, 100_000);
        at.within(
            "server.request_timeout",
            self.request_timeout,
            Span::seconds(1),
            Span::minutes(5),
        );
        at.within(
            "server.keep_alive",
            self.keep_alive,
            Span::seconds(1),
            Span::hours(1),
        );
        at.within(
            "server.stall_timeout",
            self.stall_timeout,
            Span::seconds(5),
            Span::hours(1),
        );
        at.within(
            "server.shutdown_grace",
            self.shutdown_grace,
            Span::seconds(1),
            Span::minutes(10),
        );
    }
}
