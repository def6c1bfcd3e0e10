//! Asking the provider again, so that roles and permissions taken away there are soon taken away here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use carnet_events::ids::Timestamp;
use carnet_events::recent::Recent;
use uuid::Uuid;

use super::{RefreshToken, Session, Sessions, Way};
use crate::auth::oidc::{OidcError, Provider};

/// Sessions whose renewal is remembered, for requests that were under way with the cookie from before it.
const REMEMBERED: usize = 10_000;

/// A provider that didn't answer is asked again about the same person no sooner than this: requests that waited for the answer
/// don't wait for another one each.
const RETRY: Duration = Duration::from_secs(1);

/// What is known of a session's person.
pub(super) enum Confirmation {
    /// The provider said so lately.
    Good(Session),
    /// It is too long ago, and it can't be asked without the browser: people are led there again.
    Stale,
    /// It doesn't vouch for them any more.
    Refused,
}

/// Renewals under way and done.
pub(super) struct Renewals {
    /// One question at a time for a session: a refresh token may be good for one use only.
    flights: Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>,
    done: Recent<Uuid, Session>,
    /// When the provider was asked last, where it didn't answer.
    unanswered: Recent<Uuid, Instant>,
}

impl Default for Renewals {
    fn default() -> Self {
        Self {
            flights: Mutex::default(),
            done: Recent::new(REMEMBERED),
            unanswered: Recent::new(REMEMBERED),
        }
    }
}

impl Sessions {
    /// The session with claims that are young enough, asking the provider when they aren't.
    pub(super) async fn confirmed(
        &self,
        brought: &Session,
        now: Timestamp,
    ) -> Result<Confirmation, OidcError> {
        let Way::Oidc(provider) = &self.way else {
            return Ok(Confirmation::Good(brought.clone()));
        };
        if let Some(session) = self.young(brought, now) {
            return Ok(Confirmation::Good(session));
        }
        let flight = self.flight(brought.key.id);
        let confirmation = {
            let _one = flight.lock().await;
            match self.young(brought, now) {
                Some(session) => Ok(Confirmation::Good(session)),
                None => self.ask_unless_silent(provider, brought, now).await,
            }
        };
        drop(flight);
        self.land(brought.key.id);
        confirmation
    }

    /// The newest that is known of a session, if that is young enough.
    fn young(&self, brought: &Session, now: Timestamp) -> Option<Session> {
        let newest = self.newest(brought);
        let age = now.since(newest.claimed_at);
        (age < self.lifetime.claims_max_age.get()).then_some(newest)
    }

    /// The session as it was last renewed here, if that is newer than what the browser brought.
    fn newest(&self, brought: &Session) -> Session {
        let mut newest = brought.clone();
        if let Some(done) = self.renewals.done.get(&brought.key.id)
            && done.claimed_at > brought.claimed_at
        {
            newest.key = done.key;
            newest.who = done.who;
            newest.claimed_at = done.claimed_at;
            newest.refresh = done.refresh;
        }
        newest
    }

    async fn ask_unless_silent(
        &self,
        provider: &Provider,
        brought: &Session,
        now: Timestamp,
    ) -> Result<Confirmation, OidcError> {
        let (id, unanswered) = (brought.key.id, &self.renewals.unanswered);
        if unanswered.get(&id).is_some_and(|at| at.elapsed() < RETRY) {
            let why = "it didn't answer a moment ago";
            return Err(OidcError::Unavailable(why.to_owned()));
        }
        let asked = self.ask(provider, brought, now).await;
        if asked.is_err() {
            unanswered.insert(id, Instant::now());
        }
        asked
    }

    async fn ask(
        &self,
        provider: &Provider,
        brought: &Session,
        now: Timestamp,
    ) -> Result<Confirmation, OidcError> {
        let mut session = self.newest(brought);
        let Some(refresh) = &session.refresh else {
            return Ok(Confirmation::Stale);
        };
        match provider.refresh(&session.who, &refresh.0, now).await {
            Ok(vouched) => {
                // What was handed out under the session's id, like links, was so by the rights of then.
                if vouched.who.has_lost_of(&session.who) {
                    session.key.id = Uuid::new_v4();
                }
                session.who = vouched.who;
                session.claimed_at = now;
                session.refresh = vouched.refresh.map(RefreshToken);
                self.renewals.done.insert(brought.key.id, session.clone());
                Ok(Confirmation::Good(session))
            }
            Err(OidcError::Refused(reason)) => {
                tracing::info!(session = %session.key.id, reason, "the identity provider ends a session");
                Ok(Confirmation::Refused)
            }
            Err(error @ (OidcError::Unbelievable(_) | OidcError::Foreign(_))) => {
                tracing::warn!(session = %session.key.id, error = %error, "a session can't be renewed");
                Ok(Confirmation::Stale)
            }
            Err(error @ OidcError::Unavailable(_)) => Err(error),
        }
    }

    fn flight(&self, id: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let flights = self.renewals.flights.lock();
        let mut flights = flights.unwrap_or_else(PoisonError::into_inner);
        Arc::clone(flights.entry(id).or_default())
    }

    /// Forgets a flight that nobody waits for.
    fn land(&self, id: Uuid) {
        let flights = self.renewals.flights.lock();
        let mut flights = flights.unwrap_or_else(PoisonError::into_inner);
        if flights
            .get(&id)
            .is_some_and(|flight| Arc::strong_count(flight) == 1)
        {
            flights.remove(&id);
        }
    }
}
