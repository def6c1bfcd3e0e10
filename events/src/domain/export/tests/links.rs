//! Taking download links back.

use super::*;
use crate::domain::{Decider, Timed};

#[test]
fn links_end_with_every_revocation_that_means_them() {
    let revoked = |of: Option<&str>| {
        ExportEvent::LinksRevoked(LinksRevoked {
            principal: principal("eve"),
            of: of.map(principal),
        })
    };
    let revoke = |of: Option<&str>| ExportCommand::RevokeLinks {
        principal: principal("eve"),
        of: of.map(principal),
    };
    let ready = [
        (0, requested()),
        (1, started(1, 1)),
        (2, completed(1, Some(10))),
    ];
    // Each counts, however often it is repeated: a link may have been handed out in between.
    given::<ExportDecider>(ready.clone())
        .when(revoke(None))
        .then(&[revoked(None)])
        .when(revoke(Some("eve")))
        .then(&[revoked(Some("eve"))])
        .when(revoke(Some("eve")))
        .then(&[revoked(Some("eve"))]);
    let events = [revoked(None), revoked(Some("eve")), revoked(Some("eve"))];
    let history: Vec<_> = ready
        .into_iter()
        .map(|(time, event)| Timed::new(at(time), event))
        .chain(events.map(|event| Timed::new(at(5), event)))
        .collect();
    let state = ExportDecider::replay(&history);
    let revocations = &state.export().unwrap().revocations;
    assert_eq!(revocations.of(&principal("eve")), Some(3));
    assert_eq!(revocations.of(&principal("ada")), Some(1));

    // Where no link can work, there is nothing to end.
    given::<ExportDecider>([(0, requested())])
        .when(revoke(None))
        .then(&[]);
    given::<ExportDecider>([])
        .when(revoke(None))
        .refuses(&IllegalCommand::Missing);
}

#[test]
fn after_a_flood_of_revocations_there_are_no_links_any_more() {
    let revoke = ExportCommand::RevokeLinks {
        principal: principal("eve"),
        of: Some(principal("eve")),
    };
    let ready = [requested(), started(1, 1), completed(1, None)];
    let mut state = ExportDecider::replay(&ready.map(|event| Timed::new(at(0), event)));
    let mut written = 0;
    for _ in 0..MAX_REVOCATIONS + 5 {
        let decision = ExportDecider::decide(&state, &Timed::new(at(1), revoke.clone())).unwrap();
        for event in decision.events {
            written += 1;
            state = ExportDecider::evolve(state, &Timed::new(at(1), event));
        }
    }
    assert_eq!(written, MAX_REVOCATIONS);
    let revocations = &state.export().unwrap().revocations;
    assert_eq!(revocations.of(&principal("ada")), None);
}
