//! `/operator`: the board, its lists, and its acts as forms.

mod acts;
mod reads;

use crate::support::{Answer, Client, Server, Site};

const WHY: &str = "Ada <b>Lovelace</b> rang us up";

/// A service with a slow category, its operator, and an admin of acme.
fn house() -> (Site, Server, Client, Client) {
    let site = Site::new(3);
    site.add_slow_category("slow", super::portal::FOREVER);
    site.edit_config("per_user = { accepted = 10000", "per_user = { accepted = 3");
    site.edit_config(
        "per_tenant = { accepted = 10000",
        "per_tenant = { accepted = 10",
    );
    // Nothing is to look stuck because this machine is busy.
    site.edit_config("lease = \"3s\"", "lease = \"1m\"");
    let server = Server::start(&site);
    let operator = server.client(&site.operator_token("olga"));
    let admin = server.client(&site.token("acme", "lovelace"));
    (site, server, operator, admin)
}

/// Posts the form of an act, with a reason, and follows to where that leads.
async fn act(operator: &Client, address: &str, more: &[(&str, &str)]) -> Answer {
    let mut fields = vec![("reason", WHY)];
    fields.extend(more);
    super::portal::post(operator, &format!("/operator/act/{address}"), &fields).await
}

/// Does something and expects the notice of the event that records it.
async fn done(operator: &Client, address: &str, more: &[(&str, &str)], kind: &str) -> String {
    let page = act(operator, address, more).await.expect(200).text();
    let notice = format!("recorded as <code>{kind}</code>");
    assert!(page.contains(&notice), "{address}: {page}");
    assert!(
        page.contains("Ada &lt;b&gt;Lovelace&lt;/b&gt; rang us up"),
        "{page}"
    );
    page
}
