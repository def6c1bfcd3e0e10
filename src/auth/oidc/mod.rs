//! Signing in through an OpenID Connect provider: the authorization code flow with PKCE (RFC 7636).
//!
//! The library makes the requests and verifies what comes back; here is what binds a sign-in to one browser (`pending`), what
//! is asked of the provider and how often (`known`), and who comes out of it.

mod claims;
mod known;
mod pending;

use carnet_events::ids::Timestamp;
use carnet_events::recent::Recent;
use openidconnect::core::{CoreAuthenticationFlow, CoreErrorResponseType, CoreTokenResponse};
use openidconnect::{
    AuthorizationCode, ClientId, CsrfToken, LogoutRequest, Nonce, OAuth2TokenResponse as _,
    PkceCodeChallenge, PkceCodeVerifier, PostLogoutRedirectUrl, RedirectUrl, RefreshToken,
    RequestTokenError, Scope,
};

use tokio::sync::Semaphore;

use super::fetch::{self, FetchError};
use super::session::Identity;
use crate::config::{self, Claims};
use known::{Known, Provided};

pub(crate) use pending::{Callback, PATIENCE, Pending};

/// Where the provider sends people back to.
pub(crate) const CALLBACK: &str = "/sign-in/callback";
/// Where it sends them when they have signed out there.
pub(crate) const SIGNED_OUT: &str = "/signed-out";

/// Sign-ins under way that are remembered as used; they last ten minutes.
const USED: usize = 20_000;

/// Sign-ins completed at once. Each waits for the provider, which may be slow; they must not take up all requests.
const AT_ONCE: usize = 32;

/// Why somebody isn't signed in through the provider.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    /// The provider can't be reached, has trouble, or doesn't answer as one.
    #[error("the identity provider doesn't answer as it should: {0}")]
    Unavailable(String),
    /// The provider says no to this person.
    #[error("the identity provider refuses: {0}")]
    Refused(String),
    /// What came back doesn't belong to a sign-in that this browser began, or was used already.
    #[error("the sign-in can't be completed: {0}")]
    Foreign(&'static str),
    /// What the provider says of the person can't be believed or read.
    #[error("the identity provider's word can't be taken: {0}")]
    Unbelievable(String),
}

/// Somebody for whom the provider vouches.
#[derive(Debug)]
pub struct Vouched {
    /// Who they are.
    pub who: Identity,
    /// What the provider can be asked again with.
    pub refresh: Option<String>,
}

/// A provider that people sign in with.
pub struct Provider {
    config: config::Oidc,
    names: Claims,
    leeway: std::time::Duration,
    public_url: String,
    http: reqwest::Client,
    known: Known,
    used: Recent<String, ()>,
    turns: Semaphore,
}

impl Provider {
    /// The provider as configured; it is asked for its endpoints and keys when first needed.
    ///
    /// # Errors
    /// When its address isn't one.
    pub fn new(
        config: config::Oidc,
        auth: &config::Auth,
        public_url: String,
    ) -> Result<Self, String> {
        Ok(Self {
            known: Known::new(&config.issuer, auth.jwks_max_age.get())?,
            names: auth.claims.clone(),
            leeway: auth.leeway.get(),
            config,
            public_url,
            http: fetch::client()?,
            used: Recent::new(USED),
            turns: Semaphore::new(AT_ONCE),
        })
    }

    /// Begins a sign-in: the address at the provider, and what the browser keeps until it comes back.
    pub(crate) async fn begin(
        &self,
        return_to: Option<&str>,
        now: Timestamp,
    ) -> Result<(String, Pending), OidcError> {
        let provided = self.known.get(&self.http).await?;
        let client = self.client(&provided)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let scopes = self.config.scopes.iter().filter(|scope| *scope != "openid");
        let (address, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scopes(scopes.map(|scope| Scope::new(scope.clone())))
            .set_pkce_challenge(challenge)
            .url();
        let pending = Pending::new(
            state.into_secret(),
            nonce.secret().clone(),
            verifier.into_secret(),
            return_to,
            now,
        );
        Ok((address.into(), pending))
    }

    /// Completes a sign-in with what the provider sent the browser back with.
    pub(crate) async fn complete(
        &self,
        pending: &Pending,
        callback: Callback,
        now: Timestamp,
    ) -> Result<Vouched, OidcError> {
        let code = callback.code(pending, &self.config.issuer)?;
        let _turn = self
            .turns
            .try_acquire()
            .map_err(|_| unavailable("too many people sign in at once"))?;
        if self.used.get(&pending.state).is_some() {
            return Err(OidcError::Foreign("it was used already"));
        }
        self.used.insert(pending.state.clone(), ());
        let provided = self.known.get(&self.http).await?;
        let client = self.client(&provided)?;
        let http = |request| fetch::send(&self.http, request);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(unavailable)?
            .set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.clone()))
            .request_async(&http)
            .await
            .map_err(refused)?;
        let nonce = Nonce::new(pending.nonce.clone());
        let claims = self
            .id_claims(&provided, &answer, Some(&nonce), now)
            .await?;
        let claims = claims.ok_or_else(|| unbelievable("there is no ID token"))?;
        let claims = self.with_user_info(&provided, &answer, claims).await?;
        Ok(Vouched {
            who: claims::identity(&claims, &self.names)?,
            refresh: answer.refresh_token().map(|token| token.secret().clone()),
        })
    }

    /// Asks again about somebody who signed in before. They must still be the same person of the same tenant.
    pub(super) async fn refresh(
        &self,
        before: &Identity,
        refresh: &str,
        now: Timestamp,
    ) -> Result<Vouched, OidcError> {
        let provided = self.known.get(&self.http).await?;
        let client = self.client(&provided)?;
        let http = |request| fetch::send(&self.http, request);
        let token = RefreshToken::new(refresh.to_owned());
        let answer = client
            .exchange_refresh_token(&token)
            .map_err(unavailable)?
            .request_async(&http)
            .await
            .map_err(refused)?;
        let id = self.id_claims(&provided, &answer, None, now).await?;
        let claims = self
            .with_user_info(&provided, &answer, id.unwrap_or_default())
            .await?;
        let next = answer.refresh_token().map(|token| token.secret().clone());
        let who = claims::identity(&claims, &self.names)?;
        if (&who.subject, &who.tenant) != (&before.subject, &before.tenant) {
            return Err(OidcError::Refused("they are somebody else now".to_owned()));
        }
        Ok(Vouched {
            who,
            refresh: Some(next.unwrap_or_else(|| refresh.to_owned())),
        })
    }

    /// Where people sign out at the provider, if it has such a place and is known.
    pub(crate) fn sign_out_address(&self) -> Option<String> {
        let provided = self.known.now()?;
        let logout = &provided.additional_metadata().end_session_endpoint;
        let back = format!("{}{SIGNED_OUT}", self.public_url);
        let request = LogoutRequest::from(logout.clone()?)
            .set_client_id(ClientId::new(self.config.client_id.clone()))
            .set_post_logout_redirect_uri(PostLogoutRedirectUrl::new(back).ok()?);
        Some(request.http_get_url().into())
    }

    fn client(&self, provided: &Provided) -> Result<known::Client, OidcError> {
        let back = RedirectUrl::new(format!("{}{CALLBACK}", self.public_url));
        let back = back.map_err(|error| OidcError::Unavailable(error.to_string()))?;
        Ok(known::client(provided, &self.config).set_redirect_uri(back))
    }

    /// The claims of a response's ID token, verified; once more with the provider's newest keys when they don't verify.
    async fn id_claims(
        &self,
        provided: &Provided,
        answer: &CoreTokenResponse,
        nonce: Option<&Nonce>,
        now: Timestamp,
    ) -> Result<Option<claims::Map>, OidcError> {
        use openidconnect::TokenResponse as _;

        let Some(token) = answer.id_token() else {
            return Ok(None);
        };
        let at = now.minus(self.leeway);
        let claims = match claims::verified(&self.client(provided)?, token, nonce, at) {
            Ok(claims) => claims,
            Err(_) => {
                let newest = self.known.renewed(&self.http).await?;
                claims::verified(&self.client(&newest)?, token, nonce, at)?
            }
        };
        claims::has_begun(&claims, now, self.leeway)?;
        Ok(Some(claims))
    }

    /// Adds what only the provider's UserInfo endpoint tells.
    async fn with_user_info(
        &self,
        provided: &Provided,
        answer: &CoreTokenResponse,
        claims: claims::Map,
    ) -> Result<claims::Map, OidcError> {
        let names = &self.names;
        let wanted = [&names.user, &names.tenant, &names.roles, &names.permissions];
        let complete = wanted.into_iter().all(|name| claims.contains_key(name));
        if complete || provided.userinfo_endpoint().is_none() {
            return Ok(claims);
        }
        let http = |request| fetch::send(&self.http, request);
        let token = answer.access_token().clone();
        claims::with_user_info(&self.client(provided)?, token, claims, &http).await
    }
}

fn unavailable(error: impl std::fmt::Display) -> OidcError {
    OidcError::Unavailable(error.to_string())
}

fn unbelievable(error: impl std::fmt::Display) -> OidcError {
    OidcError::Unbelievable(error.to_string())
}

/// What a provider says when it doesn't vouch for a person, or they don't agree (RFC 6749, sections 4.1.2.1 and 5.2; OpenID
/// Connect Core, section 3.1.2.6). Whatever else it says is about itself or about this service, and may pass.
const REFUSALS: [&str; 5] = [
    "invalid_grant",
    "access_denied",
    "consent_required",
    "login_required",
    "interaction_required",
];

/// A provider that says no to a person is told from one that has trouble: the one ends a session, the other doesn't.
fn verdict(code: &str) -> OidcError {
    let said: String = code.chars().take(64).collect();
    if REFUSALS.contains(&code) {
        OidcError::Refused(said)
    } else {
        OidcError::Unavailable(format!("it answers `{said}`"))
    }
}

/// Why the provider gave no tokens.
fn refused(
    error: RequestTokenError<
        FetchError,
        openidconnect::StandardErrorResponse<CoreErrorResponseType>,
    >,
) -> OidcError {
    match error {
        RequestTokenError::ServerResponse(answer) => verdict(answer.error().as_ref()),
        RequestTokenError::Request(error) => unavailable(error),
        // What can't be parsed may hold tokens, so it isn't quoted.
        RequestTokenError::Parse(..) => unavailable("its answer can't be read"),
        RequestTokenError::Other(reason) => unavailable(reason),
    }
}
