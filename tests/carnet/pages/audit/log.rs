//! `/audit`: what is filtered, counted and paged.

use serde_json::Value;

use super::{auditor, between, checked, link, page, rows};
use crate::support::{Client, Inside, Server, Site};

async fn exported(client: &Client) -> String {
    let id = client.export(&["tickets"]).await["id"].to_string();
    id.trim_matches('"').to_owned()
}

/// As many entries of one kind: people who are refused the log, each for the first time.
async fn refused(server: &Inside, people: std::ops::Range<usize>) {
    for number in people {
        let person = server.client("acme", &format!("member-{number}"), &["member"]);
        person.get("/api/audit-log").await.expect(404);
    }
}

#[tokio::test]
async fn filters_stand_in_the_address_and_files_are_of_exactly_what_is_filtered() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let bob = server.client(&site.token("acme", "bob"));
    let first = exported(&ada).await;
    exported(&bob).await;
    bob.download(&first, &[]).await.expect(200);
    ada.audited("download_ended", 1).await;
    let ann = auditor(&site, &server);

    let all = page(&ann, "/audit").await;
    for words in ["Export completed", "<code>completed</code>", "ada", "bob"] {
        assert!(all.contains(words), "{words}: {all}");
    }
    let facet = all.split("title=\"completed\"").nth(1).unwrap();
    assert_eq!(between(facet, "class=\"count\">", "<"), "2");

    let completed = page(&ann, "/audit?type=completed").await;
    assert_eq!(rows(&completed).len(), 2, "{completed}");
    let of_first = page(&ann, &format!("/audit?type=completed&export_id={first}")).await;
    assert_eq!(rows(&of_first).len(), 1);

    // People are named; addresses hold their pseudonyms.
    let bobs = page(
        &ann,
        "/audit?from=&to=&type=downloaded&principal=bob&export_id=",
    )
    .await;
    assert_eq!(rows(&bobs).len(), 1, "{bobs}");
    assert_eq!(
        between(
            &bobs,
            "id=\"f-principal\" type=\"search\" name=\"principal\" value=\"",
            "\""
        ),
        "bob"
    );
    let file = link(&bobs, "NDJSON").unwrap();
    assert!(
        file.contains("principal=p-") && !file.contains("bob"),
        "{file}"
    );
    let entry = ann.get(&file).await.expect(200).json();
    assert_eq!(entry["type"], "downloaded");
    assert_eq!(entry["export_id"], first.as_str());
    let csv = ann.get(&link(&bobs, "CSV").unwrap()).await.expect(200);
    assert_eq!(String::from_utf8(csv.body).unwrap().lines().count(), 2);

    // A range of time: the bar that holds everything leads to everything.
    let at = entry["at"].as_str().unwrap();
    let from = page(&ann, &format!("/audit?type=downloaded&from={at}")).await;
    assert_eq!(rows(&from).len(), 1);
    let nothing = page(&ann, &format!("/audit?type=downloaded&to={at}")).await;
    assert!(nothing.contains("No entry matches"), "{nothing}");
    assert_eq!(rows(&nothing).len(), 0);
    let without = link(&nothing, "Clear all").unwrap();
    assert_eq!(without, "/audit");
    let chart = completed.split_once("<svg").unwrap().1;
    let bar = between(chart, "<a href=\"", "\" aria-label");
    assert!(bar.contains("from=") && bar.contains("to="), "{bar}");
    assert!(!rows(&page(&ann, &bar).await).is_empty(), "{bar}");
}

#[tokio::test]
async fn pages_stay_as_they_are_while_entries_come() {
    let site = Site::new(3);
    let server = Inside::start(&site);
    refused(&server, 0..120).await;
    let ann = server.client("acme", "ann", &["auditor"]);
    let newest = page(&ann, "/audit?type=access_denied").await;
    let second_at = link(&newest, "Older").unwrap();
    let second = page(&ann, &second_at).await;
    let third = page(&ann, &link(&second, "Older").unwrap()).await;
    let mut seen = [rows(&newest), rows(&second), rows(&third)].concat();
    assert_eq!(seen.len(), 120);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 120, "an entry is on two pages");
    assert_eq!(link(&third, "Older"), None);

    let hint = between(&newest, "hx-get=\"/audit/new", "\"").replace("&amp;", "&");
    let hint = format!("/audit/new{hint}");
    ann.get(&hint).await.expect(204);
    // Nothing else is told: what is counted isn't recorded, so only a page that was asks for more of itself.
    let eve = server.client("acme", "eve", &["auditor"]);
    eve.get(&hint).await.expect(400);
    for other in [
        hint.replace("access_denied", "downloaded"),
        hint.replace("type=access_denied&", ""),
        format!("{hint}&principal=p-{}", "0".repeat(32)),
        "/audit/new?after=0-0".to_owned(),
        "/audit/new".to_owned(),
    ] {
        ann.get(&other).await.expect(400);
    }
    refused(&server, 120..123).await;
    ann.audited("access_denied", 123).await;
    let told = page(&ann, &hint).await;
    assert!(told.contains("3 new entries."), "{told}");
    assert_eq!(link(&told, "Show").unwrap(), "/audit?type=access_denied");

    assert_eq!(rows(&page(&ann, &second_at).await), rows(&second));
    let back = page(&ann, &link(&third, "Newer").unwrap()).await;
    assert_eq!(rows(&back), rows(&second));
    let on = page(&ann, &link(&back, "Newer").unwrap()).await;
    assert_eq!(rows(&on), rows(&newest), "the three new ones are not on it");
    let top = page(&ann, &link(&on, "Newer").unwrap()).await;
    assert_eq!(rows(&top).len(), 50);
    assert_eq!(link(&top, "Newer"), None);
}

#[tokio::test]
async fn what_can_t_be_read_is_said_beside_its_field_and_the_rest_is_kept() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ann = auditor(&site, &server);
    for (wrong, kept, message) in [
        ("from=yesterday", "yesterday", "Not a date and time."),
        ("to=2026-13-01", "2026-13-01", "Not a date and time."),
        (
            "from=2026-11-14&to=2026-11-13",
            "2026-11-14T00:00",
            "later than “From”",
        ),
        ("type=nonsense", "nonsense", "no such type"),
        ("principal=nobody", "nobody", "Nobody known by this name."),
        ("export_id=12", "12", "Not an export's id."),
        ("cursor=x", "", "a place in the log that does not exist"),
    ] {
        let address = format!("/audit?{wrong}&type=completed");
        let address = match wrong.starts_with("type") {
            true => format!("/audit?{wrong}"),
            false => address,
        };
        let refused = checked(&ann, &address, 400).await;
        assert!(refused.contains(message), "{wrong}: {refused}");
        assert!(
            refused.contains(&format!("value=\"{kept}")),
            "{wrong}: {refused}"
        );
        assert!(refused.contains("value=\"completed\" selected") || wrong.starts_with("type"));
        assert!(rows(&refused).is_empty());
    }
    let read = ann.audit("audit_read").await;
    let pages = read
        .iter()
        .filter(|entry| entry["details"]["format"] == "html");
    assert_eq!(pages.count(), 0, "nothing was read: {read:?}");
}

#[tokio::test]
async fn a_row_opens_its_full_record() {
    let site = Site::new(3);
    // No sign of life comes between the events because this machine is busy.
    site.edit_config("lease = \"3s\"", "lease = \"1m\"");
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let id = exported(&ada).await;
    let ann = auditor(&site, &server);
    let completed = page(&ann, &format!("/audit?type=completed&export_id={id}")).await;
    let record = rows(&completed).remove(0);
    let full = page(&ann, &record).await;
    for known in [
        id.as_str(),
        &format!("export-{id}"),
        "Revision 2",
        "Caused by",
        "Trace",
    ] {
        assert!(full.contains(known), "{known}: {full}");
    }
    let details: Value =
        serde_json::from_str(&between(&full, "<pre tabindex=\"0\">", "</pre>")).unwrap();
    assert_eq!(details, ada.audit("completed").await[0]["details"]);

    // A script gets the row and the record, or the row alone.
    let part = [("hx-request", "true")];
    let open = ann.send(reqwest::Method::GET, &record, &part, None).await;
    let open = String::from_utf8(open.expect(200).body).unwrap();
    assert!(
        open.starts_with("<tr>") && open.contains("aria-expanded=\"true\""),
        "{open}"
    );
    assert!(open.contains("Trace"), "{open}");
    let closed = format!("{record}?row=closed");
    let closed = ann.send(reqwest::Method::GET, &closed, &part, None).await;
    let closed = String::from_utf8(closed.expect(200).body).unwrap();
    assert!(closed.contains("aria-expanded=\"false\"") && !closed.contains("Trace"));

    for unknown in ["0-1", "x", "1a1fe038f5d-8b-1"] {
        ann.get(&format!("/audit/entries/{unknown}"))
            .await
            .expect(404);
    }
    let eve = server.client(&site.token("globex", "eve"));
    eve.get(&record).await.expect(404);
}
