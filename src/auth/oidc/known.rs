//! What the provider tells of itself: endpoints and keys, kept for a while.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use openidconnect::core::CoreClient;
use openidconnect::{
    ClientId, ClientSecret, EndpointMaybeSet, EndpointNotSet, EndpointSet, IssuerUrl,
    ProviderMetadataWithLogout,
};

use super::{OidcError, http};
use crate::config;

/// It is asked anew at most this often, whatever tokens don't verify.
const INTERVAL: Duration = Duration::from_secs(30);

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
    /// One question at a time; whoever waited finds its answer.
    flight: tokio::sync::Mutex<()>,
}

impl Known {
    pub(super) fn new(issuer: &str, max_age: Duration) -> Result<Self, String> {
        Ok(Self {
            issuer: IssuerUrl::new(issuer.to_owned()).map_err(|error| error.to_string())?,
            max_age,
            newest: Mutex::default(),
            flight: tokio::sync::Mutex::default(),
        })
    }

    /// What is known without asking.
    pub(super) fn now(&self) -> Option<Provided> {
        self.lock()
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
            let newest = self.lock();
            let (at, provided) = newest.as_ref()?;
            (at.elapsed() < age).then(|| Arc::clone(provided))
        };
        if let Some(provided) = young() {
            return Ok(provided);
        }
        let _flight = self.flight.lock().await;
        if let Some(provided) = young() {
            return Ok(provided);
        }
        let send = |request| http::send(client, request);
        let discovered =
            ProviderMetadataWithLogout::discover_async(self.issuer.clone(), &send).await;
        let discovered = discovered.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            OidcError::Unavailable(format!("{error}: {}", cause.unwrap_or_default()))
        })?;
        let provided = Arc::new(discovered);
        *self.lock() = Some((Instant::now(), Arc::clone(&provided)));
        Ok(provided)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(Instant, Provided)>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn client(provided: &Provided, config: &config::Oidc) -> Client {
    let secret = config.client_secret.as_ref();
    CoreClient::from_provider_metadata(
        ProviderMetadataWithLogout::clone(provided),
        ClientId::new(config.client_id.clone()),
        secret.map(|secret| ClientSecret::new(secret.expose().to_owned())),
    )
}
