//! Whom an exemption is for.

use super::super::*;
use super::{DAY, HOUR, admit, command, full, limits, no, past, yes};
use crate::domain::testing::{at, given, principal};

fn grant(id: &str, person: Option<&str>, count: u32) -> TenantCommand {
    TenantCommand::GrantExemption {
        id: id.to_owned(),
        limit: LimitKind::User,
        count,
        until: at(DAY),
        person: person.map(principal),
        principal: principal("op"),
    }
}

/// Ada and bob have both used up their windows.
fn both_full() -> Vec<(i64, TenantEvent)> {
    let mut history = past("ada", 0, 1..4);
    history.extend(past("bob", 2 * HOUR, 4..7));
    history
}

#[test]
fn an_exemption_for_one_person_is_of_no_use_to_another() {
    let scenario = given::<TenantDecider>(both_full())
        .at(5 * HOUR)
        .when(grant("for-ada", Some("ada"), 1))
        .replies(&Reply::Done);
    let left = |who: &str| {
        window::windows(scenario.state(), &limits(), &principal(who), at(5 * HOUR))
            .user
            .remaining()
    };
    assert_eq!((left("ada"), left("bob")), (1, 0));
    scenario
        .when(command(admit(8, "bob")))
        .replies(&full(LimitKind::User, DAY + 2 * HOUR))
        .when(command(admit(9, "ada")))
        .replies(&yes(9));
}

#[test]
fn a_person_takes_their_own_exemption_before_one_that_is_for_anybody() {
    let scenario = given::<TenantDecider>(both_full())
        .at(5 * HOUR)
        .when(grant("for-anybody", None, 1))
        .replies(&Reply::Done)
        .when(grant("for-ada", Some("ada"), 1))
        .replies(&Reply::Done)
        .when(command(admit(9, "ada")))
        .replies(&yes(9));
    let left: Vec<_> = scenario
        .state()
        .exemptions
        .iter()
        .map(|one| &one.id)
        .collect();
    assert_eq!(left, ["for-anybody"]);
    scenario
        .when(TenantCommand::Release {
            export: crate::domain::testing::export(9),
            outcome: crate::domain::export::Outcome::Completed,
        })
        .replies(&Reply::Done)
        .when(command(admit(10, "bob")))
        .replies(&yes(10));
}

#[test]
fn what_a_tenant_may_be_granted_has_an_end() {
    let mut scenario = given::<TenantDecider>([]).at(HOUR);
    for number in 0..MAX_EXEMPTIONS {
        let granted = scenario.when(grant(&format!("no-{number}"), None, 1));
        scenario = granted.replies(&Reply::Done);
    }
    scenario
        .when(grant("one-more", None, 1))
        .refuses(&IllegalCommand::TooManyExemptions)
        .when(grant("no-0", None, 1))
        .replies(&Reply::Unchanged);
}

#[test]
fn a_closed_tenant_stays_closed_until_it_is_reopened() {
    let by = || principal("op");
    given::<TenantDecider>([])
        .when(TenantCommand::Reopen { principal: by() })
        .replies(&Reply::Unchanged)
        .when(TenantCommand::Close { principal: by() })
        .replies(&Reply::Done)
        .when(TenantCommand::Close { principal: by() })
        .replies(&Reply::Unchanged)
        .when(command(admit(1, "ada")))
        .replies(&no(Refusal::TenantClosed))
        .when(TenantCommand::Reopen { principal: by() })
        .replies(&Reply::Done)
        .when(command(admit(1, "ada")))
        .replies(&yes(1));
}
