//! The file itself: what is in it, what never is, and how anyone can check it without this service.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Server, Site};

/// What a reviewer would write: blank the checksum, write canonically, hash. Python's own form is the canonical one for
/// documents with keys in ASCII and without fractions, which these are.
const REVIEWER: &str = r#"
import hashlib, json, sys
document = json.load(open(sys.argv[1], encoding="utf-8"))
claimed = document["manifest"]["checksum"]
document["manifest"]["checksum"] = ""
canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
print("agrees" if claimed == "sha256:" + hashlib.sha256(canonical.encode()).hexdigest() else "differs")
"#;

/// Checks a document with the reviewer's script, with an independent canonicaliser, and with `carnet verify`.
fn check(site: &Site, document: &[u8]) -> Value {
    let file = site.path().join("received.json");
    fs::write(&file, document).unwrap();
    let file = file.to_str().unwrap();
    let reviewer = Command::new("python3")
        .args(["-c", REVIEWER, file])
        .output()
        .unwrap();
    assert_eq!(
        String::from_utf8_lossy(&reviewer.stdout).trim(),
        "agrees",
        "{reviewer:?}"
    );
    let verified = site.carnet(&["verify", file]);
    assert!(verified.status.success(), "{verified:?}");
    assert!(
        String::from_utf8_lossy(&verified.stdout).contains("intact"),
        "{verified:?}"
    );

    let parsed: Value = serde_json::from_slice(document).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&parsed).unwrap(), document);
    let mut blanked = parsed.clone();
    blanked["manifest"]["checksum"] = json!("");
    let canonical = serde_json_canonicalizer::to_vec(&blanked).unwrap();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &canonical);
    let checksum = format!("sha256:{}", hex::encode(digest.as_ref()));
    assert_eq!(parsed["manifest"]["checksum"], checksum);

    // One changed character, anywhere, is seen.
    let text = std::str::from_utf8(document).unwrap();
    fs::write(file, text.replacen("\"attempt\":1", "\"attempt\":2", 1)).unwrap();
    assert_eq!(site.carnet(&["verify", file]).status.code(), Some(1));
    parsed
}

#[tokio::test]
async fn the_manifest_says_what_is_in_it_and_anyone_can_check_it() {
    let site = Site::new(20);
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users", "tickets"]).await;
    let id = job["id"].as_str().unwrap();
    let document = ada.download(id, &[]).await.expect(200).body;
    let parsed = check(&site, &document);
    let manifest = &parsed["manifest"];
    assert_eq!(manifest["export_id"], id);
    assert_eq!(manifest["tenant_id"], "acme");
    assert_eq!(manifest["kind"], "account");
    assert_eq!(manifest["expires_at"], job["expires_at"]);
    assert_eq!(manifest["checksum"], job["artifact"]["checksum"]);
    let categories = manifest["categories"].as_object().unwrap();
    assert_eq!(categories.keys().collect::<Vec<_>>(), ["tickets", "users"]);
    for (name, category) in categories {
        assert_eq!(category["rows"], 20);
        let rows = parsed["data"][name].as_array().unwrap();
        assert_eq!(rows.len(), 20);
        assert!(rows.iter().all(|row| row.get("tenant_id").is_none()));
        assert!(
            category["policy_digest"]
                .as_str()
                .unwrap()
                .starts_with("sha256:")
        );
        assert_eq!(
            category["read_at"].as_str().unwrap().len(),
            "2026-01-01T00:00:00.000Z".len()
        );
    }
    assert!(!String::from_utf8_lossy(&document).contains("globex"));
    // The same categories were read at one moment.
    assert_eq!(
        categories["tickets"]["read_at"],
        categories["users"]["read_at"]
    );
}

#[tokio::test]
async fn secrets_numbers_and_formulas_do_not_get_into_it() {
    let site = Site::new(0);
    let secrets = [
        "AKIAIOSFODNN7EXAMPLE",
        "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "+1 (415) 555-2671",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:prod/db-AbCdEf",
        "hunter2-correct-horse",
    ];
    let notes = [
        format!("the key {} is in use", secrets[0]),
        format!("token {} too", secrets[1]),
        format!("Authorization: Bearer {}", secrets[2]),
        format!("call {} after five", secrets[3]),
        format!("see {}", secrets[4]),
        format!("password={}", secrets[5]),
        "=HYPERLINK(\"http://evil.example\")".to_owned(),
        "@SUM(1)".to_owned(),
        "plain words, 2026-11-21, order 1234567".to_owned(),
    ];
    let database = site.tenants();
    for note in &notes {
        database
            .execute(
                "insert into users (tenant_id, name, note) values ('acme', 'x', ?1)",
                [note],
            )
            .unwrap();
    }
    let server = Server::start(&site);
    let ada = server.client(&site.token("acme", "ada"));
    let job = ada.export(&["users"]).await;
    assert_eq!(job["status"], "completed", "{job}");
    let id = job["id"].as_str().unwrap();
    let document = ada.download(id, &[]).await.expect(200).body;
    let text = String::from_utf8(document.clone()).unwrap();
    for secret in secrets {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
    let parsed = check(&site, &document);
    let notes: Vec<&str> = parsed["data"]["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["note"].as_str().unwrap())
        .collect();
    assert!(
        notes[6].starts_with("'=HYPERLINK") && notes[7] == "'@SUM(1)",
        "{notes:?}"
    );
    assert_eq!(notes[8], "plain words, 2026-11-21, order 1234567");
    let category = &parsed["manifest"]["categories"]["users"];
    assert_eq!(category["neutralised"], 2, "{category}");
    assert_eq!(category["redacted"]["phone"], 1, "{category}");
    let log = server.stop().1;
    for secret in secrets {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
}

#[tokio::test]
async fn a_row_that_comes_during_the_export_is_not_in_it() {
    let mut steps = 2_000_000;
    loop {
        let site = Site::new(3);
        site.add_slow_category("a_slow_one", steps);
        let server = Server::start(&site);
        let ada = server.client(&site.token("acme", "ada"));
        let job = ada
            .create(&["a_slow_one", "tickets"])
            .await
            .expect(202)
            .json();
        let id = job["id"].as_str().unwrap();
        let path = format!("/api/account-exports/{id}");
        // The snapshot is taken before the first category is read.
        let job = loop {
            let job = ada.get(&path).await.expect(200).json();
            if job["progress"]["category"] == "a_slow_one" || job["status"] == "completed" {
                break job;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        };
        site.tenants()
            .execute(
                "insert into tickets (tenant_id, subject) values ('acme', 'too late')",
                [],
            )
            .unwrap();
        let after = ada.get(&path).await.expect(200).json();
        let was_in_time =
            job["status"] == "running" && after["progress"]["category"] == "a_slow_one";
        if !was_in_time {
            // A fast machine: the row came after all was read, which proves nothing.
            steps *= 4;
            continue;
        }
        let job = ada.settled(id).await;
        assert_eq!(
            job["artifact"]["rows"],
            json!({"a_slow_one": 3, "tickets": 3}),
            "{job}"
        );
        let document = ada.download(id, &[]).await.expect(200).body;
        assert!(!String::from_utf8_lossy(&document).contains("too late"));
        // The next export has it.
        let next = ada.export(&["tickets"]).await;
        assert_eq!(next["artifact"]["rows"]["tickets"], 4);
        return;
    }
}

/// A shop's database, where an employee's number is the tenant and nothing was made for exporting.
const SHOP: &str = "
    create table Employee (EmployeeId integer primary key, LastName nvarchar(20), FirstName nvarchar(20), Title nvarchar(30),
        HireDate datetime, Phone nvarchar(24), Email nvarchar(60));
    create table Customer (CustomerId integer primary key, FirstName nvarchar(40), LastName nvarchar(20), Company nvarchar(80),
        City nvarchar(40), Phone nvarchar(24), Fax nvarchar(24), Email nvarchar(60), Remarks text, SupportRepId integer);
    create table Invoice (InvoiceId integer primary key, CustomerId integer, InvoiceDate datetime, Total numeric(10,2));
    create table InvoiceLine (InvoiceLineId integer primary key, InvoiceId integer, TrackId integer, UnitPrice numeric(10,2), Quantity integer);
    insert into Employee values (3, 'Falk', 'Mira', 'Sales Agent', '2002-04-01 00:00:00', '+1 (403) 555-0142', 'mira@shop.example'),
        (4, 'Odd', 'Per', 'Sales Agent', '2003-05-03 00:00:00', '+1 (403) 555-0143', 'per@shop.example');
    with recursive n(i) as (select 1 union all select i + 1 from n where i < 40)
    insert into Customer select i, 'First' || i, 'Last' || i, case when i % 3 = 0 then 'Company ' || i end, 'Zürich',
        '+41 44 668 18 ' || (10 + i), '+41 44 668 28 ' || (10 + i), 'customer' || i || '@mail.example',
        'ring +41 44 668 18 ' || (10 + i) || ' in the morning', 3 + i % 2 from n;
    insert into Invoice select CustomerId * 10, CustomerId, '2021-01-0' || (1 + CustomerId % 9) || ' 00:00:00', CustomerId + 0.99 from Customer;
    insert into InvoiceLine select InvoiceId * 10 + 1, InvoiceId, 7, 0.99, 1 from Invoice union all select InvoiceId * 10 + 2, InvoiceId, 8, 1.99, 2 from Invoice;";

/// All that it takes: one configuration file.
const SHOP_CONFIG: &str = r#"
[server]
listen = "127.0.0.1:0"
[auth]
issuer = "https://issuer.example"
hs256_secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
[[source]]
name = "shop"
url = "sqlite:tenants.db"

[[category]]
id = "customers"
title = "Customers"
source = "shop"
tenant_column = "SupportRepId"
query = "select * from Customer where SupportRepId = :tenant order by CustomerId"
[category.columns]
CustomerId = { type = "integer" }
FirstName = { type = "text" }
LastName = { type = "text" }
Company = { type = "text" }
City = { type = "text" }
Phone = { class = "phone", rule = "drop" }
Fax = { class = "phone", rule = "drop" }
Email = { class = "email", rule = "drop" }
Remarks = { type = "text" }
SupportRepId = { type = "integer", rule = "drop" }

[[category]]
id = "invoices"
title = "Invoices with their lines"
source = "shop"
tenant_column = "SupportRepId"
query = """
select c.SupportRepId, i.InvoiceId, i.CustomerId, i.InvoiceDate, i.Total,
  (select json_group_array(json_object('track', l.TrackId, 'quantity', l.Quantity) order by l.InvoiceLineId) from InvoiceLine l where l.InvoiceId = i.InvoiceId) as Lines
from Invoice i join Customer c using (CustomerId) where c.SupportRepId = :tenant order by i.InvoiceId"""
[category.columns]
SupportRepId = { type = "integer", rule = "drop" }
InvoiceId = { type = "integer" }
CustomerId = { type = "integer" }
InvoiceDate = { type = "timestamp" }
Total = { type = "decimal" }
Lines = { type = "json" }

[[category]]
id = "staff"
title = "Who looks after them"
source = "shop"
tenant_column = "EmployeeId"
query = "select * from Employee where EmployeeId = :tenant"
[category.columns]
EmployeeId = { type = "integer" }
LastName = { rule = "drop" }
FirstName = { rule = "drop" }
Title = { type = "text" }
HireDate = { type = "timestamp" }
Phone = { class = "phone", rule = "drop" }
Email = { class = "email", rule = "drop" }
"#;

#[tokio::test]
async fn a_database_not_made_for_it_is_exported_from_a_configuration_alone() {
    let site = Site::new(0);
    site.tenants().execute_batch(SHOP).unwrap();
    site.write_config(SHOP_CONFIG);
    let server = Server::start(&site);
    let client = server.client(&site.token_with("3", "mira", &["--role", "client_admin"]));
    let job = client.export(&["customers", "invoices", "staff"]).await;
    assert_eq!(job["status"], "completed", "{job}");
    assert_eq!(
        job["artifact"]["rows"],
        json!({"customers": 20, "invoices": 20, "staff": 1})
    );
    let id = job["id"].as_str().unwrap();
    let document = client.download(id, &[]).await.expect(200).body;
    let parsed = check(&site, &document);
    let invoice = &parsed["data"]["invoices"][0];
    assert_eq!(
        invoice["Lines"],
        json!([{"track": 7, "quantity": 1}, {"track": 8, "quantity": 2}])
    );
    assert_eq!(
        (&invoice["Total"], &invoice["InvoiceDate"]),
        (&json!("2.99"), &json!("2021-01-03T00:00:00.000Z"))
    );
    assert_eq!(
        parsed["data"]["staff"],
        json!([{"EmployeeId": 3, "HireDate": "2002-04-01T00:00:00.000Z", "Title": "Sales Agent"}])
    );
    assert_eq!(
        parsed["manifest"]["categories"]["customers"]["redacted"]["phone"],
        20
    );

    let text = String::from_utf8(document).unwrap();
    let database = site.tenants();
    let mut personal = database
        .prepare("select Phone from Customer union select Fax from Customer union select Email from Customer union select Phone from Employee union select Email from Employee union select LastName from Employee union select FirstName from Employee")
        .unwrap();
    let personal: Vec<String> = personal
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    assert!(personal.len() > 120);
    for value in personal {
        assert!(!text.contains(&value), "{value}");
    }
}
