//! “Every team member, one per hour per organisation”: members see their own, and never who else.

use super::{FOREVER, PAGE, page, until};
use crate::support::{Client, Server, Site};

fn member(site: &Site, server: &Server, user: &str) -> Client {
    server.client(&site.token_with("acme", user, &["--role", "member"]))
}

#[tokio::test]
async fn members_see_their_own_exports_and_that_somebody_else_has_one() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    site.edit_config(
        "[limits]",
        "[limits]\nrequest_roles = [\"client_admin\", \"member\"]",
    );
    let server = Server::start(&site);
    let max = member(&site, &server, "max-the-member");
    let kim = member(&site, &server, "kim-the-member");
    let job = max.create(&["slow"]).await.expect(202).json();
    let id = job["id"].as_str().unwrap();
    max.reaches(id, "running").await;
    let own = page(&max).await;
    assert!(
        own.contains("by you") && own.contains(r#"id="cancel-"#),
        "{own}"
    );
    // A permission that members don't have hides its category.
    assert!(!own.contains("category-users"), "{own}");
    let other = page(&kim).await;
    assert!(other.contains(r#"aria-disabled="true""#), "{other}");
    assert!(
        other.contains("somebody else started is under way"),
        "{other}"
    );
    for hidden in [id, "max-the-member", r#"id="cancel-"#, "Slow</b>"] {
        assert!(!other.contains(hidden), "{hidden}: {other}");
    }
    kim.get(&format!("/settings/data-exports/{id}"))
        .await
        .expect(404);
    // A client admin sees whose it is.
    let ada = server.client(&site.token("acme", "ada"));
    let admin = page(&ada).await;
    assert!(admin.contains("by max-the-member"), "{admin}");
    max.act(&format!("/api/account-exports/{id}/cancel"))
        .await
        .expect(200);
    until(&max, PAGE, "status cancelled").await;
    let after = page(&kim).await;
    assert!(after.contains("No exports yet."), "{after}");
}
