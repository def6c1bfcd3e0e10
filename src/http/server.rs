//! Binding the listeners and serving until told to stop.

use std::any::Any;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpServer, web};

use super::state::AppState;
use super::{health, observe, routes};

/// How long a closing connection may take to say so.
const DISCONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What both listeners have in common. A macro, for the server's type names types of a crate we don't depend on.
macro_rules! tuned {
    ($server:expr, $state:expr) => {{
        let config = &$state.config.server;
        $server
            .keep_alive(config.keep_alive.get())
            .client_request_timeout(config.request_timeout.get())
            .client_disconnect_timeout(DISCONNECT_TIMEOUT)
            .max_connections(config.max_connections as usize)
            .shutdown_timeout(config.shutdown_grace.get().as_secs())
            .shutdown_signal($state.stopping.clone().cancelled_owned())
    }};
}

/// Why the service can't listen.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// An address can't be used.
    #[error("can't listen on {address} (`{key}`): {source}")]
    Bind {
        /// The configuration key.
        key: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("serving failed: {0}")]
    Serve(#[from] std::io::Error),
}

/// The bound listeners. Bound early, so that a second process fails before it touches anything.
pub struct Server {
    api: TcpListener,
    metrics: Option<TcpListener>,
}

impl Server {
    /// Binds `server.listen` and, if configured, `server.metrics_listen`.
    ///
    /// # Errors
    /// When an address can't be used.
    pub fn bind(config: &crate::config::Server) -> Result<Self, ServerError> {
        let api = listen("server.listen", config.listen)?;
        let metrics = config
            .metrics_listen
            .map(|address| listen("server.metrics_listen", address))
            .transpose()?;
        Ok(Self { api, metrics })
    }

    /// The API's address; its port is the real one when port 0 was asked for.
    ///
    /// # Errors
    /// When the system doesn't tell.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.api.local_addr()
    }

    /// Serves until `state.stopping` is cancelled, then lets running requests end within `server.shutdown_grace`.
    ///
    /// # Errors
    /// When a listener fails.
    pub async fn run(self, state: Arc<AppState>) -> Result<(), ServerError> {
        let api_state = web::Data::from(Arc::clone(&state));
        let stall = state.config.server.stall_timeout.get();
        let api = HttpServer::new(move || app(api_state.clone()));
        let api = tuned!(api, state)
            .on_connect(move |io, _| close_when_stalled(io, stall))
            .listen(self.api)?
            .run();
        let metrics_state = web::Data::from(Arc::clone(&state));
        let metrics = self
            .metrics
            .map(|listener| {
                let metrics = HttpServer::new(move || metrics_app(metrics_state.clone()));
                tuned!(metrics, state).workers(1).listen(listener)
            })
            .transpose()?
            .map(HttpServer::run);
        match metrics {
            Some(metrics) => futures::future::try_join(api, metrics).await.map(|_| ())?,
            None => api.await?,
        }
        Ok(())
    }
}

fn listen(key: &'static str, address: SocketAddr) -> Result<TcpListener, ServerError> {
    TcpListener::bind(address)
        .and_then(|listener| listener.set_nonblocking(true).map(|()| listener))
        .map_err(|source| ServerError::Bind {
            key,
            address,
            source,
        })
}

/// The API as an actix application; public to this crate's tests.
pub(super) fn app(
    state: web::Data<AppState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(state)
        .configure(routes)
        .wrap(from_fn(observe::observe))
}

fn metrics_app(
    state: web::Data<AppState>,
) -> App<
    impl ServiceFactory<
        ServiceRequest,
        Config = (),
        Response = ServiceResponse<BoxBody>,
        Error = Error,
        InitError = (),
    >,
> {
    App::new()
        .app_data(state)
        .service(web::resource("/metrics").route(web::get().to(health::metrics_for_all)))
        .wrap(from_fn(observe::observe))
}

/// A client that stops reading makes the kernel probe its closed window; with this limit the kernel ends the
/// connection instead of probing for ever, and with it the stream that feeds it.
fn close_when_stalled(io: &dyn Any, after: Duration) {
    if let Some(stream) = io.downcast_ref::<actix_web::rt::net::TcpStream>() {
        let socket = socket2::SockRef::from(stream);
        if let Err(error) = socket.set_tcp_user_timeout(Some(after)) {
            tracing::debug!(error = %error, "no stall timeout on this connection");
        }
    }
}
