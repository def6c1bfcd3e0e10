//! What the provider tells of itself: endpoints and keys, kept for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::CoreClient;
use openidconnect::{
    ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    ProviderMetadataWithLogout,
};

use super::OidcError;
use crate::auth::fetch;
use crate::config;

/// It is asked anew at most this often, whatever tokens don't verify.
const INTERVAL: Duration = Duration::from_secs(30);

/// One that didn't answer is asked again no sooner than this; until then, and while that question is open, nobody waits.
const RETRY: Duration = Duration::from_secs(1);

/// Endpoints and keys.
pub(super) type Provided = Arc<ProviderMetadataWithLogout>;

/// A client that knows the provider's endpoints.
pub(super) type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// See the module.
pub(super) struct Known {
    issuer: IssuerUrl,
    max_age: Duration,
    newest: Mutex<Option<(Instant, Provided)>>,
    /// When it was asked last, if it didn't answer then.
    silent: Mutex<Option<Instant>>,
    /// One question at a time; whoever waited finds its answer.
    flight: tokio::sync::Mutex<()>,
}

impl Known {
    pub(super) fn new(issuer: &str, max_age: Duration) -> Result<Self, String> {
        Ok(Self {
            issuer: IssuerUrl::new(issuer.to_owned()).map_err(|error| error.to_string())?,
            max_age,
            newest: Mutex::default(),
            silent: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        })
    }

    /// What is known without asking.
    pub(super) fn now(&self) -> Option<Provided> {
        lock(&self.newest)
            .as_ref()
            .map(|(_, provided)| Arc::clone(provided))
    }

    /// What is known, asking when that is too old.
    pub(super) async fn get(&self, client: &reqwest::Client) -> Result<Provided, OidcError> {
        self.younger_than(self.max_age, client).await
    }

    /// What the provider says now, or said a moment ago.
    pub(super) async fn renewed(&self, client: &reqwest::Client) -> Result<Provided, OidcError> {
        self.younger_than(INTERVAL, client).await
    }

    async fn younger_than(
        &self,
        age: Duration,
        client: &reqwest::Client,
    ) -> Result<Provided, OidcError> {
        let young = || {
            let newest = lock(&self.newest);
            let (at, provided) = newest.as_ref()?;
            (at.elapsed() < age).then(|| Arc::clone(provided))
        };
        if let Some(provided) = young() {
            return Ok(provided);
        }
        let is_silent = || lock(&self.silent).is_some();
        let _flight = match self.flight.try_lock() {
            Ok(flight) => flight,
            Err(_) if is_silent() => return Err(silent()),
            Err(_) => self.flight.lock().await,
        };
        if let Some(provided) = young() {
            return Ok(provided);
        }
        if lock(&self.silent).is_some_and(|at| at.elapsed() < RETRY) {
            return Err(silent());
        }
        let discovered = self.discover(client).await;
        *lock(&self.silent) = discovered.is_err().then(Instant::now);
        let provided = Arc::new(discovered?);
        *lock(&self.newest) = Some((Instant::now(), Arc::clone(&provided)));
        Ok(provided)
    }

    async fn discover(
        &self,
        client: &reqwest::Client,
    ) -> Result<ProviderMetadataWithLogout, OidcError> {
        let send = |request| fetch::send(client, request);
        let discovered =
            ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &send).await;
        discovered.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            OidcError::Unavailable(format!("{error}: {}", cause.unwrap_or_default()))
        })
    }
}

fn silent() -> OidcError {
    OidcError::Unavailable("it didn't answer a moment ago".to_owned())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn client(provided: &Provided, config: &config::Oidc) -> Client {
    let secret = config.client_secret.as_ref();
    CoreClient::from_provider_metadata(
        ProviderMetadataWithLogout::clone(provided),
        ClientId::new(config.client_id.clone()),
        secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use futures::future::join_all;
    use tokio::net::TcpListener;

    use super::*;

    /// Closes every connection at once, and counts them.
    async fn broken() -> (String, Arc<Mutex<u32>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(0));
        let count = Arc::clone(&asked);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                *lock(&count) += 1;
            }
        });
        (address, asked)
    }

    #[tokio::test]
    async fn a_provider_that_does_not_answer_is_not_asked_for_everybody_who_comes() {
        let (address, asked) = broken().await;
        let known = Known::new(&address, Duration::from_secs(600)).unwrap();
        let client = fetch::client().unwrap();
        let answers = join_all((0..20).map(|_| known.get(&client))).await;
        assert!(answers.iter().all(Result::is_err));
        let at_once = *lock(&asked);
        // An HTTP client may try a closed connection again, and on a slow machine it may be time to ask again.
        assert!((1..10).contains(&at_once), "{at_once}");
        let _flight = known.flight.lock().await;
        assert!(known.get(&client).await.is_err(), "nobody waits for it");
    }
}
