//! What is left of the limits, and the button that says why it does nothing and when it will.

use std::time::Duration;

use carnet_events::domain::tenant::{LimitKind, TenantCommand};

use super::{page, start};
use crate::support::{Inside, Site};

const HOUR: Duration = Duration::from_secs(3_600);
const DISABLED: &str = r#"type="button" aria-disabled="true" aria-describedby="why-not""#;
const ENABLED: &str = r#"<button class="primary" id="start" type="submit" form="new-export">"#;

/// One per person in an hour, two in all.
fn hourly() -> Site {
    let site = Site::new(3);
    let edit = |whose: &str, accepted| {
        site.edit_config(
            &format!(r#"{whose} = {{ accepted = 10000, window = "24h" }}"#),
            &format!(r#"{whose} = {{ accepted = {accepted}, window = "1h" }}"#),
        );
    };
    edit("per_user", 1);
    edit("per_tenant", 2);
    site
}

#[tokio::test]
async fn a_used_up_limit_disables_the_button_until_it_opens_again() {
    let site = hourly();
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    let fresh = page(&ada).await;
    assert!(fresh.contains(ENABLED), "{fresh}");
    assert!(fresh.contains("<b>1 of 1 left</b> for you"), "{fresh}");
    assert!(fresh.contains("<b>2 of 2 left</b> for acme"), "{fresh}");
    let job = ada.export(&["tickets"]).await;
    inside.advance(HOUR / 4);
    let full = page(&ada).await;
    assert!(full.contains(DISABLED) && !full.contains(ENABLED), "{full}");
    assert!(
        full.contains("You have used up your exports for now."),
        "{full}"
    );
    let at = job["created_at"].as_str().unwrap();
    let why = full.split(r#"id="why-not""#).nth(1).unwrap();
    assert!(
        why.contains(&format!("Last export: <time datetime=\"{at}\">")),
        "{why}"
    );
    assert!(why.contains("(in 45 min)"), "{why}");
    // The form says the same, should it be sent all the same.
    let refused = start(&ada, &["tickets"]).await.expect(429);
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
    let refused = refused.text();
    assert!(
        refused.contains("Not started: you have used up"),
        "{refused}"
    );
    // A colleague has one left; then the organisation has none.
    let bob = inside.admin("acme", "bob");
    assert!(page(&bob).await.contains(ENABLED));
    bob.export(&["tickets"]).await;
    let eve = page(&inside.admin("acme", "eve")).await;
    assert!(
        eve.contains("Your organisation has used up its exports"),
        "{eve}"
    );
    inside.advance(HOUR * 3 / 4);
    assert!(page(&ada).await.contains(ENABLED));
}

#[tokio::test]
async fn exemptions_closed_tenants_and_a_paused_intake_are_explained() {
    let site = hourly();
    let inside = Inside::start(&site);
    let ada = inside.admin("acme", "ada");
    ada.export(&["tickets"]).await;
    let until = inside.now().plus(HOUR);
    inside
        .command("acme", |principal| TenantCommand::GrantExemption {
            id: "e1".to_owned(),
            limit: LimitKind::User,
            person: None,
            count: 3,
            until,
            principal,
        })
        .await;
    let exempt = page(&ada).await;
    assert!(
        exempt.contains(ENABLED) && exempt.contains("3 more by exemption"),
        "{exempt}"
    );
    inside.pause(true).await;
    let paused = page(&ada).await;
    assert!(paused.contains(DISABLED), "{paused}");
    assert!(
        paused.contains("The operators have paused new exports."),
        "{paused}"
    );
    inside.pause(false).await;
    assert!(page(&ada).await.contains(ENABLED));
    let closing = inside.command("acme", |principal| TenantCommand::Close { principal });
    closing.await;
    let closed = page(&ada).await;
    assert!(closed.contains(DISABLED), "{closed}");
    assert!(
        closed.contains("Exports are closed for your organisation."),
        "{closed}"
    );
    let refused = start(&ada, &["tickets"]).await.expect(403).text();
    assert!(
        refused.contains("Not started: exports are closed"),
        "{refused}"
    );
}
