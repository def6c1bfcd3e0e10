//! Properties that hold for any sequence of requests, sensible or not.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::*;
use super::{admit, limits};
use crate::codec::{Context, decode, encode};
use crate::domain::export::Outcome;
use crate::domain::request::Origin;
use crate::domain::testing::{digest, principal, seconds};
use crate::domain::{Decider, Timed};
use crate::envelope::{Position, Recorded};
use crate::ids::{ExportId, PrincipalId, Timestamp};
use crate::stream::StreamName;

const PEOPLE: [&str; 4] = ["ada", "bob", "cyd", "dan"];

fn any_command() -> impl Strategy<Value = TenantCommand> {
    let by = || principal("op");
    prop_oneof![
        6 => (0u128..1000, 0usize..4, proptest::option::of((0u8..4, 0u8..2)), 0u8..10).prop_map(
            |(number, who, key, origin)| {
                let mut admit = admit(number, PEOPLE[who]);
                if origin == 0 {
                    admit.request.origin = Origin::Schedule;
                }
                admit.key = key.map(|(key, fingerprint)| IdempotencyKey {
                    key: digest(key),
                    fingerprint: digest(fingerprint),
                    alike: Vec::new(),
                });
                TenantCommand::Admit(Box::new(admit))
            }
        ),
        8 => (0u128..1000).prop_map(|number| TenantCommand::Release {
            export: crate::domain::testing::export(number),
            outcome: Outcome::Completed,
        }),
        1 => Just(TenantCommand::Close { principal: by() }),
        1 => Just(TenantCommand::Reopen { principal: by() }),
        1 => (0usize..3).prop_map(move |grace| TenantCommand::Cancel {
            grace: seconds([0, 3600, 86_400][grace]),
            principal: by(),
        }),
        1 => Just(TenantCommand::Reactivate { principal: by() }),
        1 => any::<bool>().prop_map(move |on| TenantCommand::SwitchModule {
            module: "core".to_owned(),
            on,
            principal: by(),
        }),
        2 => any_exemption(),
        1 => proptest::option::of(0u8..3).prop_map(move |preset| TenantCommand::SetSchedule {
            preset: preset.map(|preset| format!("preset-{preset}")),
            principal: by(),
        }),
        1 => (0i64..10_000).prop_map(|minute| TenantCommand::SkipSchedule {
            due_at: Timestamp::from_millis(minute * 60_000),
            code: "in_progress".to_owned(),
        }),
        1 => (0u8..4).prop_map(|step| match step {
            0 => TenantCommand::StartPurge,
            _ => TenantCommand::FinishPurge,
        }),
    ]
}

fn any_exemption() -> impl Strategy<Value = TenantCommand> {
    let who = proptest::option::of(0usize..4);
    (0u8..20, any::<bool>(), 0u32..4, 0i64..40_000, who).prop_map(
        |(id, of_tenant, count, until, who)| TenantCommand::GrantExemption {
            id: format!("exemption-{id}"),
            limit: match of_tenant {
                true => LimitKind::Tenant,
                false => LimitKind::User,
            },
            count,
            until: Timestamp::from_millis(until * 60_000),
            person: who.filter(|_| !of_tenant).map(|who| principal(PEOPLE[who])),
            principal: principal("op"),
        },
    )
}

/// Commands with the minutes between them, and whether the export that is active then is settled before.
fn any_commands() -> impl Strategy<Value = Vec<(i64, bool, TenantCommand)>> {
    proptest::collection::vec((0i64..600, any::<bool>(), any_command()), 0..120)
}

struct Run {
    history: Vec<Timed<TenantEvent>>,
    live: Tenant,
}

fn drive(commands: Vec<(i64, bool, TenantCommand)>) -> Run {
    let mut run = Run {
        history: Vec::new(),
        live: TenantDecider::initial(),
    };
    let mut minutes = 0;
    for (pause, settle, mut command) in commands {
        minutes += pause;
        let at = Timestamp::from_millis(minutes * 60_000);
        if let (true, TenantCommand::Admit(admit)) = (settle, &mut command) {
            admit.settled = run
                .live
                .active
                .keys()
                .map(|export| (*export, Outcome::Completed))
                .collect();
        }
        let Ok(decision) = TenantDecider::decide(&run.live, &Timed::new(at, command)) else {
            continue;
        };
        for event in decision.events {
            let event = Timed::new(decision.at, event);
            run.live = TenantDecider::evolve(run.live, &event);
            run.history.push(event);
        }
    }
    run
}

fn stored(event: &Timed<TenantEvent>) -> Timed<TenantEvent> {
    let new = encode(
        uuid::Uuid::nil(),
        event.at,
        &event.what,
        &Context::default(),
    )
    .unwrap();
    let recorded = Recorded {
        stream: StreamName::platform(),
        revision: 0,
        position: Position::single(0),
        id: new.id,
        kind: new.kind,
        data: new.data,
        metadata: new.metadata,
    };
    decode(&recorded).unwrap().1
}

/// An accepted request of a person.
struct Accepted {
    at: Timestamp,
    who: PrincipalId,
    /// The limits that exemptions let it through.
    beyond: Vec<LimitKind>,
}

/// Every one of them, as the history tells it without the decider's help; exemptions are held against what was granted.
fn accepted(history: &[Timed<TenantEvent>]) -> Vec<Accepted> {
    let mut granted: BTreeMap<String, ExemptionGranted> = BTreeMap::new();
    let mut found = Vec::new();
    for event in history {
        match &event.what {
            TenantEvent::ExemptionGranted(one) => {
                let known = granted.insert(one.id.clone(), one.clone());
                assert_eq!(known, None, "an id is granted once");
            }
            TenantEvent::ExportAdmitted(admitted) if admitted.request.origin == Origin::User => {
                let who = &admitted.request.principal;
                let mut beyond = Vec::new();
                for id in &admitted.exemptions {
                    let used = granted.get_mut(id).unwrap();
                    assert!(
                        event.at < used.until && used.person.as_ref().is_none_or(|one| one == who)
                    );
                    used.count = used.count.checked_sub(1).unwrap();
                    beyond.push(used.limit);
                }
                found.push(Accepted {
                    at: event.at,
                    who: who.clone(),
                    beyond,
                });
            }
            _ => {}
        }
    }
    found
}

proptest! {
    #[test]
    fn replayed_state_equals_live_state_through_the_stored_bytes(commands in any_commands()) {
        let run = drive(commands);
        let read: Vec<_> = run.history.iter().map(stored).collect();
        prop_assert_eq!(TenantDecider::replay(&read), run.live);
    }

    #[test]
    fn no_rolling_window_ever_holds_more_than_its_quota(commands in any_commands()) {
        let run = drive(commands);
        let accepted = accepted(&run.history);
        let day = seconds(24 * 60 * 60);
        // A window can only be fullest at the moment of an acceptance, and beyond its quota only by exemptions.
        for last in &accepted {
            let inside = |one: &&Accepted| one.at <= last.at && one.at.plus(day) > last.at;
            let beyond = |limit| last.beyond.contains(&limit);
            let all = accepted.iter().filter(inside).count();
            prop_assert!(beyond(LimitKind::Tenant) || all <= limits().per_tenant.accepted as usize);
            let own = accepted.iter().filter(inside).filter(|one| one.who == last.who).count();
            prop_assert!(beyond(LimitKind::User) || own <= limits().per_user.accepted as usize);
        }
    }

    #[test]
    fn a_purge_is_the_end_and_never_comes_within_the_grace(commands in any_commands()) {
        let mut grace_until = None;
        let mut purging = false;
        for event in drive(commands).history {
            match event.what {
                TenantEvent::Cancelled(cancelled) => grace_until = Some(cancelled.grace_until),
                TenantEvent::Reactivated(_) => {
                    prop_assert!(!purging);
                    grace_until = None;
                }
                TenantEvent::PurgeStarted(_) => {
                    prop_assert!(!purging && grace_until.is_some_and(|end| end <= event.at));
                    purging = true;
                }
                TenantEvent::Purged(_) | TenantEvent::ExportAdmitted(_) => {
                    prop_assert_eq!(purging, matches!(event.what, TenantEvent::Purged(_)));
                }
                _ => {}
            }
        }
    }

    #[test]
    fn there_is_never_more_than_one_active_export(commands in any_commands()) {
        let mut active: BTreeMap<ExportId, ()> = BTreeMap::new();
        for event in drive(commands).history {
            match event.what {
                TenantEvent::ExportAdmitted(admitted) => {
                    prop_assert!(active.insert(admitted.export, ()).is_none());
                }
                TenantEvent::ExportReleased(released) => {
                    prop_assert!(active.remove(&released.export).is_some());
                }
                _ => {}
            }
            prop_assert!(active.len() <= 1);
        }
    }

    #[test]
    fn what_a_refusal_promises_is_kept(commands in any_commands(), who in 0usize..4) {
        let run = drive(commands);
        let now = run.live.updated_at.unwrap_or(Timestamp::from_millis(0));
        let ask = |at, number| {
            let mut admit = admit(number, PEOPLE[who]);
            admit.settled =
                run.live.active.keys().map(|export| (*export, Outcome::Completed)).collect();
            let command = TenantCommand::Admit(Box::new(admit));
            TenantDecider::decide(&run.live, &Timed::new(at, command)).map(|decision| decision.reply)
        };
        if let Ok(Reply::Refused(Refusal::LimitReached { next_allowed_at: Some(opens), .. })) =
            ask(now, 5000)
        {
            prop_assert!(opens > now);
            let just_before = opens.minus(std::time::Duration::from_millis(1)).max(now);
            let is_refused = |reply| {
                let Ok(Reply::Refused(refusal)) = reply else { return false };
                // A grace window may have ended meanwhile.
                matches!(refusal, Refusal::LimitReached { .. } | Refusal::TenantClosed)
            };
            prop_assert!(is_refused(ask(just_before, 5001)));
            // The other window, or the end of a grace window, may still stand in the way; not this limit at this time.
            match ask(opens, 5002) {
                Ok(Reply::Refused(Refusal::LimitReached { next_allowed_at, .. })) => {
                    prop_assert!(next_allowed_at > Some(opens));
                }
                Ok(_) => {}
                Err(illegal) => prop_assert!(false, "{illegal}"),
            }
        }
    }

    #[test]
    fn the_state_stays_small(commands in any_commands()) {
        let run = drive(commands);
        let month = usize::try_from(LONGEST_WINDOW.as_secs() / 86_400).unwrap();
        prop_assert!(run.live.accepted.len() <= 10 * (month + 1));
        prop_assert!(run.live.keys.len() <= 200);
        prop_assert!(run.live.exemptions.len() <= MAX_EXEMPTIONS);
    }
}
