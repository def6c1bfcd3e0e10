//! The service within the test's own process, on a clock that the test moves; still asked over HTTP.

use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use carnet::auth::{Identity, TokenRequest, sign};
use carnet::config::Config;
use carnet::http::AppState;
use carnet::service::{Around, Service};
use carnet_actors::ports::Clock;
use carnet_actors::{Cause, Order};
use carnet_events::domain::session::SignInBy;
use carnet_events::domain::tenant::TenantCommand;
use carnet_events::ids::{PrincipalId, TenantId, Timestamp};
use tokio::sync::oneshot;

use super::{Browser, Client, HandClock, Site};

/// A running service. Stopped in good order when dropped.
pub(crate) struct Inside {
    clock: Arc<HandClock>,
    address: String,
    state: Arc<AppState>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Inside {
    /// Starts the service on `site` with a clock that stands at the present.
    pub(crate) fn start(site: &Site) -> Self {
        let config = Config::load(&site.config()).unwrap();
        Self::begin(config, HandClock::new(), false)
    }

    /// The same as the demo: people are chosen.
    pub(crate) fn demo(site: &Site) -> Self {
        let config = Config::load(&site.config()).unwrap();
        Self::begin(config, HandClock::new(), true)
    }

    /// One of several nodes on the event store at `url`, as the demo. Its clock goes, for the store has one as well.
    pub(crate) fn node(site: &Site, url: &str, name: &str) -> Self {
        let mut config = Config::load(&site.config()).unwrap();
        url.clone_into(&mut config.store.url);
        config.projections.path = site.path().join(name).join("projections.db");
        Self::begin(config, HandClock::going(), true)
    }

    fn begin(config: Config, clock: HandClock, demo: bool) -> Self {
        let clock = Arc::new(clock);
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::channel();
        let hand: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let thread = std::thread::spawn(move || {
            actix_web::rt::System::new().block_on(async {
                let around = Around {
                    clock: hand,
                    demo,
                    ..Around::default()
                };
                let service = Service::start(config, around).await.unwrap();
                ready
                    .send((service.address(), Arc::clone(service.state())))
                    .unwrap();
                let stopped = async {
                    let _ = stopped.await;
                };
                service.run(stopped).await.unwrap();
            });
        });
        let (address, state) = started.recv().expect("the service starts");
        Self {
            clock,
            address: format!("http://{address}"),
            state,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Moves the clock forward.
    pub(crate) fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A client admin who may export everything.
    pub(crate) fn admin(&self, tenant: &str, user: &str) -> Client {
        self.client(tenant, user, &["client_admin"])
    }

    /// `http://host:port`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// A browser without cookies.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.address)
    }

    /// A client without credentials.
    pub(crate) fn nobody(&self) -> Client {
        Client::new(&self.address, "")
    }

    /// A client whose token holds for as long as a test can move the clock.
    pub(crate) fn client(&self, tenant: &str, user: &str, roles: &[&str]) -> Client {
        self.holder(tenant, user, roles, Duration::from_secs(90 * 86_400))
    }

    /// A client admin whose token ends soon.
    pub(crate) fn brief(&self, tenant: &str, user: &str, ttl: Duration) -> Client {
        self.holder(tenant, user, &["client_admin"], ttl)
    }

    fn holder(&self, tenant: &str, user: &str, roles: &[&str], ttl: Duration) -> Client {
        let request = TokenRequest {
            tenant: Some(tenant.to_owned()),
            user: user.to_owned(),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            permissions: vec!["exports:users".to_owned()],
            ttl,
        };
        let token = sign(&self.state.config.auth, &request, self.clock.now()).unwrap();
        Client::new(&self.address, &token)
    }

    /// The browser of somebody whom the identity provider vouched for just now, and can be asked about again.
    pub(crate) async fn signed_in(&self, tenant: &str, user: &str, roles: &[&str]) -> Browser {
        let tenant = TenantId::new(tenant).unwrap();
        let who = Identity {
            subject: user.to_owned(),
            tenant: Some(tenant.clone()),
            roles: roles.iter().map(|&role| role.to_owned()).collect(),
            permissions: Vec::new(),
        };
        let principal = self
            .state
            .system
            .principal(&tenant, user, &Cause::default())
            .await
            .unwrap();
        let refresh = Some("a refresh token".to_owned());
        let (sessions, now) = (&self.state.sessions, self.clock.now());
        let started = sessions.start(SignInBy::Oidc, who, principal, refresh, now);
        let (_, cookie) = started.await.unwrap();
        let mut browser = self.browser();
        browser.cookies.insert("__Host-carnet".to_owned(), cookie);
        browser
    }

    /// An operator's token, signed now.
    pub(crate) fn operator_token(&self, user: &str) -> String {
        let request = TokenRequest {
            tenant: None,
            user: user.to_owned(),
            roles: vec!["operator".to_owned()],
            permissions: Vec::new(),
            ttl: Duration::from_secs(3600),
        };
        sign(&self.state.config.auth, &request, self.clock.now()).unwrap()
    }

    /// What the clock says.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Pauses or resumes the intake, as operators will.
    pub(crate) async fn pause(&self, paused: bool) {
        let system = &self.state.system;
        system.pause_intake(paused, order()).await.unwrap();
    }

    /// Keeps projections from being filled anew until what is returned is dropped, as a rebuild under way does.
    pub(crate) fn rebuilding(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.state.rebuilds)
            .try_acquire_owned()
            .unwrap()
    }

    /// Gives a tenant a command, as operators will.
    pub(crate) async fn command(
        &self,
        tenant: &str,
        command: impl FnOnce(PrincipalId) -> TenantCommand,
    ) {
        let tenant = TenantId::new(tenant).unwrap();
        let order = order();
        let command = command(order.by.clone());
        let system = &self.state.system;
        let commanded = system.act_on_tenant(&tenant, command, order);
        commanded.await.unwrap();
    }
}

fn order() -> Order {
    Order {
        by: PrincipalId::new("operator").unwrap(),
        reason: "a test".to_owned(),
        cause: Cause::default(),
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
