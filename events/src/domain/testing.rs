//! Given / when / then for deciders, and the values that their tests share.

#![allow(clippy::panic, clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use uuid::Uuid;

use super::request::{ExportKind, Format, Layer, Origin, Request};
use super::{Decider, Timed};
use crate::ids::{Digest, ExportId, Incarnation, NodeId, PrincipalId, TenantId, Timestamp};

/// A history, and what is asked next.
pub(crate) struct Scenario<D: Decider> {
    state: D::State,
    clock: Timestamp,
}

/// Starts a scenario with events, each with its time in seconds.
pub(crate) fn given<D: Decider>(history: impl IntoIterator<Item = (i64, D::Event)>) -> Scenario<D> {
    let mut scenario = Scenario {
        state: D::initial(),
        clock: at(0),
    };
    for (seconds, event) in history {
        scenario.clock = at(seconds);
        scenario.state = D::evolve(scenario.state, &Timed::new(at(seconds), event));
    }
    scenario
}

impl<D: Decider> Scenario<D>
where
    D::Event: Debug + PartialEq,
    D::Reply: Debug + PartialEq,
    D::Illegal: Debug + PartialEq,
{
    /// Moves the clock.
    pub(crate) fn at(mut self, seconds: i64) -> Self {
        self.clock = at(seconds);
        self
    }

    /// Carries a command out and expects events and a reply.
    pub(crate) fn when(self, command: D::Command) -> Outcome<D> {
        let decision = D::decide(&self.state, &Timed::new(self.clock, command));
        let state = match &decision {
            Ok(decision) => decision.events.iter().fold(self.state, |state, event| {
                D::evolve(state, &Timed::new(decision.at, event.clone()))
            }),
            Err(_) => self.state,
        };
        let answer = decision.map(|decision| (decision.events, decision.reply));
        Outcome {
            answer,
            next: Scenario {
                state,
                clock: self.clock,
            },
        }
    }

    /// The state as it is.
    pub(crate) fn state(&self) -> &D::State {
        &self.state
    }
}

type Answer<D> =
    Result<(Vec<<D as Decider>::Event>, <D as Decider>::Reply), <D as Decider>::Illegal>;

/// What came of a command.
pub(crate) struct Outcome<D: Decider> {
    answer: Answer<D>,
    next: Scenario<D>,
}

impl<D: Decider> Outcome<D>
where
    D::Event: Debug + PartialEq,
    D::Reply: Debug + PartialEq,
    D::Illegal: Debug + PartialEq,
{
    /// Expects just these events, and goes on after them.
    #[track_caller]
    pub(crate) fn then(self, events: &[D::Event]) -> Scenario<D> {
        match self.answer {
            Ok((happened, _)) => assert_eq!(happened, events),
            Err(illegal) => panic!("illegal: {illegal:?}"),
        }
        self.next
    }

    /// Expects this reply, and goes on.
    #[track_caller]
    pub(crate) fn replies(self, expected: &D::Reply) -> Scenario<D> {
        match self.answer {
            Ok((_, reply)) => assert_eq!(reply, *expected),
            Err(illegal) => panic!("illegal: {illegal:?}"),
        }
        self.next
    }

    /// Expects that the command is illegal.
    #[track_caller]
    pub(crate) fn refuses(self, expected: &D::Illegal) -> Scenario<D> {
        match self.answer {
            Ok((events, reply)) => panic!("legal: {events:?}, {reply:?}"),
            Err(illegal) => assert_eq!(illegal, *expected),
        }
        self.next
    }
}

pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

pub(crate) fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub(crate) fn export(number: u128) -> ExportId {
    ExportId::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn node(number: u128) -> NodeId {
    NodeId::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn incarnation(number: u128) -> Incarnation {
    Incarnation::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn principal(name: &str) -> PrincipalId {
    PrincipalId::new(name).unwrap()
}

pub(crate) fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

pub(crate) fn policies() -> BTreeMap<String, Digest> {
    [("users".to_owned(), digest(1))].into()
}

pub(crate) fn request(by: &str) -> Request {
    Request {
        tenant: TenantId::new("acme").unwrap(),
        principal: principal(by),
        origin: Origin::User,
        kind: ExportKind::Account,
        categories: vec!["users".to_owned()],
        scope: None,
        format: Format::Json,
        layers: vec![Layer::Gzip],
        policy_digests: policies(),
        retry_of: None,
    }
}
