//! Admission and the life of a tenant, told as given / when / then.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod exemptions;
mod properties;

use super::window::windows;
use super::*;
use crate::domain::export::Outcome;
use crate::domain::request::{Layer, Origin, Request};
use crate::domain::testing::{Scenario, at, digest, export, given, principal, request, seconds};
use crate::ids::ExportId;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

pub(super) fn limits() -> Limits {
    let window_ms = 24 * 60 * 60 * 1000;
    Limits {
        per_user: Quota {
            accepted: 3,
            window_ms,
        },
        per_tenant: Quota {
            accepted: 10,
            window_ms,
        },
        active_per_user: 1,
        active_per_tenant: 1,
    }
}

pub(super) fn admit(number: u128, by: &str) -> Admit {
    Admit {
        export: export(number),
        request: request(by),
        categories: CategoryCheck::default(),
        key: None,
        limits: limits(),
        intake_paused: false,
        storage_verified: true,
        settled: Default::default(),
    }
}

fn command(admit: Admit) -> TenantCommand {
    TenantCommand::Admit(Box::new(admit))
}

fn admitted(number: u128, by: &str) -> TenantEvent {
    admitted_as(number, request(by))
}

fn admitted_as(number: u128, request: Request) -> TenantEvent {
    TenantEvent::ExportAdmitted(ExportAdmitted {
        export: export(number),
        request,
        limits: limits(),
        standing: Standing { user: 0, tenant: 0 },
        exemptions: Vec::new(),
        idempotency_key: None,
        fingerprint: None,
    })
}

fn released(number: u128) -> TenantEvent {
    TenantEvent::ExportReleased(ExportReleased {
        export: export(number),
        outcome: Outcome::Completed,
    })
}

fn yes(number: u128) -> Reply {
    Reply::Admitted {
        export: export(number),
        repeated: false,
    }
}

fn no(refusal: Refusal) -> Reply {
    Reply::Refused(refusal)
}

/// `count` exports of `by`, one an hour from `start`, each released at once.
fn past(by: &str, start: i64, numbers: std::ops::Range<u128>) -> Vec<(i64, TenantEvent)> {
    numbers
        .enumerate()
        .flat_map(|(hour, number)| {
            let time = start + i64::try_from(hour).unwrap() * HOUR;
            [(time, admitted(number, by)), (time, released(number))]
        })
        .collect()
}

fn in_progress(number: u128, by: &str) -> Reply {
    no(Refusal::InProgress {
        active: export(number),
        principal: principal(by),
    })
}

fn full(limit: LimitKind, opens: i64) -> Reply {
    no(Refusal::LimitReached {
        limit,
        next_allowed_at: Some(at(opens)),
    })
}

#[test]
fn the_first_request_is_let_in() {
    given::<TenantDecider>([])
        .when(command(admit(1, "ada")))
        .then(&[admitted(1, "ada")]);
}

#[test]
fn one_active_export_per_user_and_per_tenant() {
    given::<TenantDecider>([(0, admitted(1, "ada"))])
        .when(command(admit(2, "ada")))
        .replies(&in_progress(1, "ada"))
        .when(command(admit(2, "bob")))
        .replies(&in_progress(1, "ada"))
        .when(TenantCommand::Release {
            export: export(1),
            outcome: Outcome::Failed,
        })
        .replies(&Reply::Done)
        .when(command(admit(2, "bob")))
        .replies(&yes(2));
}

#[test]
fn a_settled_export_is_released_in_the_batch_that_takes_its_slot() {
    let mut next = admit(2, "ada");
    next.settled.insert(export(1), Outcome::Completed);
    next.settled.insert(export(99), Outcome::Completed);
    let mut second = admitted(2, "ada");
    if let TenantEvent::ExportAdmitted(second) = &mut second {
        second.standing = Standing { user: 1, tenant: 1 };
    }
    given::<TenantDecider>([(0, admitted(1, "ada"))])
        .when(command(next))
        .then(&[released(1), second]);
}

#[test]
fn a_refusal_releases_nothing() {
    let mut next = admit(2, "ada");
    next.settled.insert(export(1), Outcome::Completed);
    next.storage_verified = false;
    given::<TenantDecider>([(0, admitted(1, "ada"))])
        .when(command(next))
        .then(&[]);
}

#[test]
fn the_fourth_request_of_a_day_waits_for_the_first_to_be_a_day_old() {
    given::<TenantDecider>(past("ada", 0, 1..4))
        .at(3 * HOUR)
        .when(command(admit(4, "ada")))
        .replies(&full(LimitKind::User, DAY))
        .at(DAY - 1)
        .when(command(admit(4, "ada")))
        .replies(&full(LimitKind::User, DAY))
        .at(DAY)
        .when(command(admit(4, "ada")))
        .replies(&yes(4));
}

#[test]
fn the_eleventh_request_of_a_tenant_waits_whoever_asks() {
    let people = ["ada", "bob", "cyd", "dan"];
    let history = (0..10u128).flat_map(|number| {
        let by = people[usize::try_from(number / 3).unwrap()];
        let time = i64::try_from(number).unwrap();
        [(time, admitted(number, by)), (time, released(number))]
    });
    given::<TenantDecider>(history)
        .at(HOUR)
        .when(command(admit(11, "eve")))
        .replies(&full(LimitKind::Tenant, DAY))
        .at(DAY)
        .when(command(admit(11, "eve")))
        .replies(&yes(11));
}

/// The person's window opens first; the tenant's still refuses then.
#[test]
fn with_both_windows_full_the_later_opening_is_told() {
    let history = (0..10u128).flat_map(|number| {
        let by = if number < 3 { "ada" } else { "bob" };
        let time = i64::try_from(number).unwrap() * HOUR;
        [(time, admitted(number, by)), (time, released(number))]
    });
    let few = Limits {
        per_tenant: Quota {
            accepted: 5,
            window_ms: 24 * 60 * 60 * 1000,
        },
        ..admit(11, "ada").limits
    };
    let asked = || {
        command(Admit {
            limits: few,
            ..admit(11, "ada")
        })
    };
    given::<TenantDecider>(history)
        .at(10 * HOUR)
        .when(asked())
        .replies(&full(LimitKind::User, DAY + 5 * HOUR))
        .at(DAY + 5 * HOUR - 1)
        .when(asked())
        .replies(&full(LimitKind::Tenant, DAY + 5 * HOUR))
        .at(DAY + 5 * HOUR)
        .when(asked())
        .replies(&yes(11));
}

#[test]
fn accepted_counts_whatever_became_of_it() {
    let cancelled = TenantEvent::ExportReleased(ExportReleased {
        export: export(1),
        outcome: Outcome::Cancelled,
    });
    let mut history = vec![(0, admitted(1, "ada")), (0, cancelled)];
    history.extend(past("ada", 1, 2..4));
    given::<TenantDecider>(history)
        .at(3 * HOUR)
        .when(command(admit(4, "ada")))
        .replies(&full(LimitKind::User, DAY));
}

#[test]
fn scheduled_and_operators_exports_hold_a_slot_but_no_place_in_a_window() {
    let scheduled = Request {
        origin: Origin::Schedule,
        ..request("ada")
    };
    let mut history: Vec<_> = (0..5u128)
        .flat_map(|number| {
            [
                (0, admitted_as(number, scheduled.clone())),
                (0, released(number)),
            ]
        })
        .collect();
    history.push((
        1,
        admitted_as(
            9,
            Request {
                origin: Origin::Operator,
                ..request("ada")
            },
        ),
    ));
    let scenario = given::<TenantDecider>(history);
    assert_eq!(
        windows(scenario.state(), &limits(), &principal("ada"), at(1))
            .user
            .accepted,
        0
    );
    scenario
        .when(command(admit(10, "ada")))
        .replies(&in_progress(9, "ada"))
        .when(TenantCommand::Release {
            export: export(9),
            outcome: Outcome::Completed,
        })
        .replies(&Reply::Done)
        .when(command(admit(10, "ada")))
        .replies(&yes(10));
}

#[test]
fn a_scheduled_export_is_let_in_when_the_windows_are_full() {
    let mut scheduled = admit(9, "ada");
    scheduled.request.origin = Origin::Schedule;
    given::<TenantDecider>(past("ada", 0, 1..4))
        .when(command(scheduled))
        .replies(&yes(9));
}

fn keyed(number: u128, by: &str, key: u8, fingerprint: u8) -> TenantCommand {
    let key = IdempotencyKey {
        key: digest(key),
        fingerprint: digest(fingerprint),
        alike: Vec::new(),
    };
    command(Admit {
        key: Some(key),
        ..admit(number, by)
    })
}

#[test]
fn an_idempotency_key_gives_the_same_export_for_a_day() {
    let again = Reply::Admitted {
        export: export(1),
        repeated: true,
    };
    given::<TenantDecider>([])
        .when(keyed(1, "ada", 7, 1))
        .replies(&yes(1))
        .when(keyed(2, "ada", 7, 1))
        .replies(&again)
        .when(keyed(2, "ada", 7, 2))
        .replies(&no(Refusal::IdempotencyMismatch))
        .when(keyed(2, "ada", 8, 1))
        .replies(&in_progress(1, "ada"))
        .when(TenantCommand::Release {
            export: export(1),
            outcome: Outcome::Completed,
        })
        .replies(&Reply::Done)
        .at(DAY - 1)
        .when(keyed(2, "ada", 7, 1))
        .replies(&again)
        .at(DAY)
        .when(keyed(2, "ada", 7, 1))
        .replies(&yes(2));
}

#[test]
fn a_request_spelt_otherwise_is_the_same_if_it_asks_for_what_was_made_of_the_first() {
    // By this time's defaults it is the same as the first; its layers say whether it was by that time's.
    let spelt = |number, fingerprint, layers: &[Layer]| {
        let mut admit = admit(number, "ada");
        admit.request.layers = layers.to_vec();
        admit.key = Some(IdempotencyKey {
            key: digest(7),
            fingerprint: digest(fingerprint),
            alike: vec![digest(1), digest(2)],
        });
        command(admit)
    };
    let again = Reply::Admitted {
        export: export(1),
        repeated: true,
    };
    given::<TenantDecider>([])
        .when(spelt(1, 1, &[Layer::Gzip]))
        .replies(&yes(1))
        .when(spelt(2, 2, &[Layer::Gzip]))
        .replies(&again)
        .when(spelt(2, 2, &[Layer::Zstd]))
        .replies(&no(Refusal::IdempotencyMismatch))
        // As it was sent, whatever is made of it now.
        .when(spelt(2, 1, &[Layer::Zstd]))
        .replies(&again);
}

#[test]
fn the_same_command_again_is_the_same_admission() {
    let scenario: Scenario<TenantDecider> = given::<TenantDecider>([(0, admitted(1, "ada"))]);
    scenario
        .when(command(admit(1, "ada")))
        .replies(&Reply::Admitted {
            export: export(1),
            repeated: true,
        })
        .when(command(admit(1, "bob")))
        .refuses(&IllegalCommand::AlreadyAdmitted);
}

#[test]
fn the_checks_come_in_their_order() {
    let closed = TenantEvent::Closed(Closed {
        principal: principal("op"),
    });
    let mut bad = admit(9, "ada");
    bad.intake_paused = true;
    bad.storage_verified = false;
    bad.categories.unknown = vec!["nonsense".to_owned()];
    bad.categories.unscoped = vec!["users".to_owned()];
    let mut history = past("ada", 0, 1..4);
    history.push((4 * HOUR, admitted(5, "ada")));
    let unknown = || Refusal::UnknownCategories {
        ids: vec!["nonsense".to_owned()],
        forbidden: false,
    };
    given::<TenantDecider>(history.clone().into_iter().chain([(4 * HOUR, closed)]))
        .when(command(bad.clone()))
        .replies(&no(Refusal::TenantClosed))
        .when(TenantCommand::Reopen {
            principal: principal("op"),
        })
        .replies(&Reply::Done)
        .when(command(bad.clone()))
        .replies(&no(Refusal::IntakePaused))
        .when(command(Admit {
            intake_paused: false,
            categories: CategoryCheck {
                modules: [("users".to_owned(), ("support".to_owned(), false))].into(),
                ..bad.categories.clone()
            },
            ..bad.clone()
        }))
        .replies(&no(Refusal::UnknownCategories {
            ids: vec!["nonsense".to_owned(), "users".to_owned()],
            forbidden: false,
        }))
        .when(command(Admit {
            intake_paused: false,
            ..bad.clone()
        }))
        .replies(&no(Refusal::StorageUnverified))
        .when(command(Admit {
            intake_paused: false,
            storage_verified: true,
            ..bad.clone()
        }))
        .replies(&no(unknown()))
        .when(command(Admit {
            categories: CategoryCheck {
                unknown: Vec::new(),
                ..bad.categories
            },
            ..admit(9, "ada")
        }))
        .replies(&no(Refusal::ScopeUnsupported))
        .when(command(admit(9, "ada")))
        .replies(&in_progress(5, "ada"))
        .when(TenantCommand::Release {
            export: export(5),
            outcome: Outcome::Completed,
        })
        .replies(&Reply::Done)
        .when(command(admit(9, "ada")))
        .replies(&full(LimitKind::User, DAY + HOUR));
}

#[test]
fn a_forbidden_category_is_refused_like_an_unknown_one_but_told_apart_in_the_record() {
    let mut asked = admit(1, "ada");
    asked.categories.forbidden = vec!["users".to_owned()];
    given::<TenantDecider>([])
        .when(command(asked))
        .replies(&no(Refusal::UnknownCategories {
            ids: vec!["users".to_owned()],
            forbidden: true,
        }));
}

#[test]
fn a_category_is_there_only_when_its_module_is_on() {
    let asked = |configured| {
        let mut asked = admit(1, "ada");
        asked
            .categories
            .modules
            .insert("users".to_owned(), ("core".to_owned(), configured));
        command(asked)
    };
    let off = Refusal::UnknownCategories {
        ids: vec!["users".to_owned()],
        forbidden: false,
    };
    let switch = |on| TenantCommand::SwitchModule {
        module: "core".to_owned(),
        on,
        principal: principal("op"),
    };
    given::<TenantDecider>([])
        .when(asked(false))
        .replies(&no(off.clone()))
        .when(switch(false))
        .replies(&Reply::Done)
        .when(asked(true))
        .replies(&no(off))
        .when(switch(true))
        .replies(&Reply::Done)
        .when(asked(false))
        .replies(&yes(1));
}

fn exempt(id: &str, limit: LimitKind, count: u32, until: i64) -> TenantCommand {
    TenantCommand::GrantExemption {
        id: id.to_owned(),
        limit,
        count,
        until: at(until),
        person: None,
        principal: principal("op"),
    }
}

#[test]
fn an_exemption_lets_so_many_through_and_is_then_used_up() {
    let released = |number| TenantCommand::Release {
        export: export(number),
        outcome: Outcome::Completed,
    };
    let scenario = given::<TenantDecider>(past("ada", 0, 1..4))
        .at(4 * HOUR)
        .when(exempt("more", LimitKind::User, 1, DAY))
        .replies(&Reply::Done);
    assert_eq!(
        windows(scenario.state(), &limits(), &principal("ada"), at(4 * HOUR))
            .user
            .remaining(),
        1
    );
    let scenario = scenario
        .when(command(admit(4, "ada")))
        .replies(&yes(4))
        .when(released(4))
        .replies(&Reply::Done);
    assert!(scenario.state().exemptions.is_empty());
    scenario
        .when(exempt("more", LimitKind::User, 1, DAY))
        .refuses(&IllegalCommand::UselessExemption)
        .when(command(admit(5, "ada")))
        .replies(&full(LimitKind::User, DAY + HOUR));
}

#[test]
fn an_exemption_ends_with_its_time_and_a_useless_one_is_illegal() {
    given::<TenantDecider>(past("ada", 0, 1..4))
        .at(4 * HOUR)
        .when(exempt("more", LimitKind::User, 5, 5 * HOUR))
        .replies(&Reply::Done)
        .when(exempt("more", LimitKind::User, 5, 5 * HOUR))
        .replies(&Reply::Unchanged)
        .when(exempt("more", LimitKind::Tenant, 5, 5 * HOUR))
        .refuses(&IllegalCommand::UselessExemption)
        .when(exempt("none", LimitKind::User, 0, DAY))
        .refuses(&IllegalCommand::UselessExemption)
        .at(5 * HOUR)
        .when(exempt("late", LimitKind::User, 1, 5 * HOUR))
        .refuses(&IllegalCommand::UselessExemption)
        .when(exempt("more", LimitKind::User, 5, 9 * HOUR))
        .refuses(&IllegalCommand::UselessExemption)
        .when(command(admit(4, "ada")))
        .replies(&full(LimitKind::User, DAY));
}

#[test]
fn a_cancelled_tenant_exports_until_its_grace_window_ends_and_may_come_back_until_then() {
    let by = || principal("op");
    let scenario = given::<TenantDecider>([])
        .when(TenantCommand::Cancel {
            grace: seconds(100),
            principal: by(),
        })
        .replies(&Reply::Done);
    assert!(scenario.state().serves_at(at(99)) && !scenario.state().serves_at(at(100)));
    scenario
        .at(99)
        .when(TenantCommand::StartPurge)
        .refuses(&IllegalCommand::GraceNotOver)
        .when(command(admit(1, "ada")))
        .replies(&yes(1))
        .when(TenantCommand::Reactivate { principal: by() })
        .replies(&Reply::Done)
        .when(TenantCommand::Cancel {
            grace: seconds(100),
            principal: by(),
        })
        .replies(&Reply::Done)
        .at(199)
        .when(command(admit(2, "ada")))
        .replies(&no(Refusal::TenantClosed))
        .when(TenantCommand::Reactivate { principal: by() })
        .refuses(&IllegalCommand::NotCancelled)
        .when(TenantCommand::FinishPurge)
        .refuses(&IllegalCommand::PurgeNotStarted)
        .when(TenantCommand::StartPurge)
        .replies(&Reply::Done)
        .when(TenantCommand::Reactivate { principal: by() })
        .refuses(&IllegalCommand::Purged)
        .when(TenantCommand::FinishPurge)
        .replies(&Reply::Done)
        .when(TenantCommand::FinishPurge)
        .replies(&Reply::Unchanged);
}

#[test]
fn what_is_shown_before_a_request_is_what_the_request_would_be_told() {
    let scenario = given::<TenantDecider>(past("ada", 0, 1..4)).at(4 * HOUR);
    let none = std::collections::BTreeMap::<ExportId, Outcome>::new();
    let asked = |scenario: &Scenario<TenantDecider>, who: &str, service: Service| {
        let (now, who) = (at(4 * HOUR), principal(who));
        blocked_by(scenario.state(), &limits(), &who, service, &none, now)
    };
    let service = |intake_paused, storage_verified| Service {
        intake_paused,
        storage_verified,
    };
    let shown = |scenario: &_, who: &str| asked(scenario, who, service(false, true));
    for (state, expected) in [
        (service(true, false), Refusal::IntakePaused),
        (service(false, false), Refusal::StorageUnverified),
    ] {
        assert_eq!(asked(&scenario, "bob", state), Some(expected));
    }
    assert_eq!(
        shown(&scenario, "ada"),
        Some(Refusal::LimitReached {
            limit: LimitKind::User,
            next_allowed_at: Some(at(DAY))
        })
    );
    assert_eq!(shown(&scenario, "bob"), None);
    let scenario = scenario.when(command(admit(9, "bob"))).replies(&yes(9));
    assert_eq!(
        shown(&scenario, "cyd"),
        Some(Refusal::InProgress {
            active: export(9),
            principal: principal("bob")
        })
    );
    let scenario = scenario
        .when(TenantCommand::Close {
            principal: principal("op"),
        })
        .replies(&Reply::Done);
    let closed = asked(&scenario, "cyd", service(true, false));
    assert_eq!(closed, Some(Refusal::TenantClosed));
}
