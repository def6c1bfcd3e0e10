//! Finds the actor of a stream, and brings it to life if there is none.
//!
//! Activation is single-flight: two who ask at once get the same actor. An actor that nobody has asked for some time is
//! let go (its address is dropped, and it ends once its last command is done). Should two actors of one stream ever live
//! side by side, nothing is lost but a conflict: the append decides.

use std::hash::Hash;
use std::sync::Arc;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, ArbiterHandle, Context, Handler, Message};
use carnet_events::recent::Recent;

use crate::error::Error;
use crate::shared::Shared;

/// An actor that stands for one stream.
pub(crate) trait Entity: Actor<Context = Context<Self>> {
    /// What the stream is called by.
    type Key: Hash + Eq + Clone + Send + 'static;

    /// The actor before it has read its stream.
    fn new(key: Self::Key, shared: Arc<Shared>) -> Self;
}

/// The living actors of one kind.
pub(crate) struct Registry<A: Entity> {
    arbiter: ArbiterHandle,
    live: Recent<A::Key, Addr<A>>,
}

impl<A: Entity> Registry<A> {
    pub(crate) fn new(arbiter: ArbiterHandle, max_live: usize) -> Self {
        Self {
            arbiter,
            live: Recent::new(max_live),
        }
    }

    /// Sends `message` to the actor of `key` and waits for its answer.
    pub(crate) async fn ask<M>(
        &self,
        shared: &Arc<Shared>,
        key: &A::Key,
        message: M,
    ) -> Result<M::Result, Error>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<M>,
        A::Context: ToEnvelope<A, M>,
    {
        let address = self.address(shared, key);
        address.send(message).await.map_err(|_| Error::Stopping)
    }

    fn address(&self, shared: &Arc<Shared>, key: &A::Key) -> Addr<A> {
        self.live.get_or_make(key, Addr::connected, || {
            let (shared, key) = (Arc::clone(shared), key.clone());
            A::start_in_arbiter(&self.arbiter, move |_| A::new(key, shared))
        })
    }

    /// Lets go of actors that nobody has asked for two calls.
    pub(crate) fn passivate(&self) {
        self.live.age();
    }

    /// Lets go of all actors: each ends once its last command is done.
    pub(crate) fn clear(&self) {
        // Two generations, and nobody uses any between the two calls.
        self.live.age();
        self.live.age();
    }

    /// How many are kept alive.
    pub(crate) fn len(&self) -> usize {
        self.live.len()
    }
}
