//! The form: one click exports everything, and a refusal comes back with all that was filled in.

use super::{FOREVER, PAGE, page, post, start, until};
use crate::support::{Server, Site};

const FORM: &str = "/settings/data-exports";

/// Fields, the status they are answered with, and what the page says.
type Case<'a> = (&'a [(&'a str, &'a str)], u16, &'a str);

#[tokio::test]
async fn everything_is_chosen_already_and_one_click_leads_to_the_file() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let before = page(&ada).await;
    assert!(before.contains("No exports yet."), "{before}");
    for id in ["users", "tickets"] {
        let chosen = format!(r#"value="{id}" id="category-{id}" checked"#);
        assert!(before.contains(&chosen), "{before}");
    }
    let started = start(&ada, &["users", "tickets"]).await.expect(200).text();
    assert!(
        started.contains("The export has started.") || started.contains("Your file is ready."),
        "{started}"
    );
    let after = until(&ada, PAGE, "status completed").await;
    let download = after
        .split(r#"href="/api/account-exports/"#)
        .nth(1)
        .unwrap();
    let id = download.split('/').next().unwrap();
    let file = ada.download(id, &[]).await.expect(200);
    assert!(file.header("content-disposition").starts_with("attachment"));
    assert_eq!(file.json()["manifest"]["export_id"], id);
    // Now it is known how many rows there were.
    assert!(after.contains("3 rows last time"), "{after}");
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_export() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let fields = [("categories", "slow"), ("once", "5f1f7e0e")];
    for _ in 0..2 {
        let said = post(&ada, FORM, &fields).await.expect(200).text();
        assert!(said.contains("The export has started."), "{said}");
    }
    let list = ada.get("/api/account-exports").await.expect(200).json();
    assert_eq!(list["total"], 1);
    // Other choices are another request, and there is one at a time.
    let other = [("categories", "tickets"), ("once", "5f1f7e0e")];
    let said = post(&ada, FORM, &other).await.expect(409).text();
    assert!(said.contains("an export is already under way"), "{said}");
}

#[tokio::test]
async fn a_refusal_comes_back_in_words_with_what_was_filled_in() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let kept = ("reason", r#"For "the" <audit>"#);
    let long = "x".repeat(2_000);
    let cases: [Case<'_>; 5] = [
        (&[kept], 400, "choose at least one category"),
        (
            &[kept, ("categories", "nothing")],
            422,
            "can&#39;t be exported by you",
        ),
        (
            &[kept, ("categories", "tickets"), ("scope", "north")],
            422,
            "These options don&#39;t go together",
        ),
        (
            &[kept, ("categories", "tickets"), ("compression", "rar")],
            422,
            "don&#39;t go together",
        ),
        (
            &[("categories", "tickets"), ("reason", &long)],
            400,
            "too long",
        ),
    ];
    for (fields, status, words) in cases {
        let answer = post(&ada, FORM, fields).await.expect(status);
        assert!(answer.header("content-type").starts_with("text/html"));
        let said = answer.text().replace('\'', "&#39;");
        assert!(
            said.to_lowercase().contains(&words.to_lowercase()),
            "{words}: {said}"
        );
        if fields.contains(&kept) {
            let filled = r#"value="For &quot;the&quot; &lt;audit&gt;""#;
            assert!(said.contains(filled), "{said}");
        }
    }
    let list = ada.get("/api/account-exports").await.expect(200).json();
    assert_eq!(list["total"], 0);
}

#[tokio::test]
async fn nothing_that_people_wrote_becomes_markup() {
    let site = Site::new(3);
    site.add_config(
        r#"
[[category]]
id = "odd"
title = "<script>alert(1)</script>"
source = "main"
tenant_column = "tenant_id"
query = "select id, tenant_id, subject as \"<b>\" from tickets where tenant_id = :tenant"
[category.columns]
id = { type = "integer" }
tenant_id = { type = "text", rule = "drop" }
"<b>" = { type = "text", rule = "drop" }
"#,
    );
    let server = Server::start(&site);
    let admin = ["--role", "client_admin", "--role", "<i>"];
    let odd = server.client(&site.token_with("acme", "<img src=x>", &admin));
    let fields = [
        ("categories", "odd"),
        ("reason", "<script>alert(2)</script>"),
    ];
    post(&odd, FORM, &fields).await.expect(200);
    let ada = server.client(&site.token("acme", "ada"));
    let list = until(&ada, PAGE, "status completed").await;
    let id = ada.get("/api/account-exports").await.json()["items"][0]["id"].clone();
    let details = format!("/settings/data-exports/{}", id.as_str().unwrap());
    let details = ada.get(&details).await.expect(200).text();
    let own = page(&odd).await;
    assert!(list.contains("by &lt;img src=x&gt;"), "{list}");
    for text in [&list, &details, &own] {
        for wrong in ["<script>", "<img src=x", "<i>", "<b><b>"] {
            assert!(!text.contains(wrong), "{wrong}: {text}");
        }
        assert!(text.contains("&lt;script&gt;alert(1)"), "{text}");
    }
    // A column's name, where what is left out is told.
    assert!(own.contains("<b>&lt;b&gt;</b>"), "{own}");
}

#[tokio::test]
async fn a_failure_says_what_to_do_and_fills_in_the_form_to_try_again() {
    let site = Site::new(3);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    site.tenants()
        .execute_batch("update tickets set id = 1 << 60 where id = (select max(id) from tickets where tenant_id = 'acme')")
        .unwrap();
    start(&ada, &["tickets"]).await.expect(200);
    let failed = until(&ada, PAGE, "status failed").await;
    assert!(
        failed.contains("A number in Tickets, column id, is too large"),
        "{failed}"
    );
    let again = failed.split("data-exports&amp;again=").nth(1).unwrap();
    let id = again.split(['#', '"']).next().unwrap();
    let filled = ada
        .get(&format!("{PAGE}&again={id}"))
        .await
        .expect(200)
        .text();
    assert!(
        filled.contains(r#"id="category-tickets" checked"#),
        "{filled}"
    );
    assert!(
        !filled.contains(r#"id="category-users" checked"#),
        "{filled}"
    );
    // Whoever reads the history sees what the second one was for.
    let kept = format!(r#"name="again" value="{id}""#);
    assert!(filled.contains(&kept), "{filled}");
    let fields = [("categories", "tickets"), ("again", id)];
    post(&ada, FORM, &fields).await.expect(200);
    let list = ada.get("/api/account-exports").await.expect(200).json();
    let second = list["items"][0]["id"].as_str().unwrap();
    let path = format!("/audit/exports/{second}?revision=0");
    let booklet = ada.get(&path).await.expect(200).text();
    let (_, retry_of) = booklet.split_once("retry_of</code>").unwrap();
    assert!(retry_of[..200].contains(id), "{booklet}");
}

#[tokio::test]
async fn cancelling_asks_first_and_says_when_it_is_too_late() {
    let site = Site::new(3);
    site.add_slow_category("slow", FOREVER);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    start(&ada, &["slow"]).await.expect(200);
    let active = page(&ada).await;
    let cancel = active.split(r#"id="cancel-"#).nth(1).unwrap();
    let id = cancel.split('"').next().unwrap();
    let path = format!("/settings/data-exports/{id}/cancel");
    let asked = ada.get(&path).await.expect(200).text();
    assert!(asked.contains("Cancel this export?"), "{asked}");
    let done = post(&ada, &path, &[]).await.expect(200).text();
    assert!(done.contains("The export was cancelled."), "{done}");
    until(&ada, PAGE, "status cancelled").await;
    ada.export(&["tickets"]).await;
    let newest = ada.get("/api/account-exports").await.json()["items"][0]["id"].clone();
    let path = format!("/settings/data-exports/{}/cancel", newest.as_str().unwrap());
    let late = post(&ada, &path, &[]).await.expect(200).text();
    assert!(late.contains("had already ended"), "{late}");
}
