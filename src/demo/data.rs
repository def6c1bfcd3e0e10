//! Sample data: two tenants in one SQLite database, thousands of rows in all four categories.
//!
//! Made by a fixed sequence, so every demo has the same data. Nasty values are among them on purpose: formulas, secrets
//! in free text, phone numbers, emoji as keys, integers beyond 2^53, nested JSON. All of it is made up; addresses are under
//! example.com (RFC 2606) and phone numbers from the ranges kept for fiction.

use std::path::Path;

use rusqlite::{Connection, Transaction, params};
use serde_json::json;

/// A sample tenant and how much it has.
#[derive(Debug, Clone, Copy)]
pub struct SampleTenant {
    /// Its id.
    pub id: &'static str,
    users: u32,
    configurations: u32,
    audit_events: u32,
    tickets: u32,
}

/// The tenants of the demo.
pub const TENANTS: [SampleTenant; 2] = [
    SampleTenant {
        id: "acme",
        users: 2_400,
        configurations: 320,
        audit_events: 12_000,
        tickets: 1_800,
    },
    SampleTenant {
        id: "globex",
        users: 700,
        configurations: 90,
        audit_events: 4_000,
        tickets: 450,
    },
];

const SCHEMA: &str = "
    create table users (
        id text primary key, tenant_id text not null, display_name text not null, email text not null,
        phone text, about text, settings text not null, logins integer not null, score real,
        active integer not null, password_hash text not null, born_on text, created_at text not null);
    create table configurations (
        id text primary key, tenant_id text not null, name text not null, summary text not null,
        settings text not null, raw_file text not null, secret_ref text, version integer not null,
        updated_at text not null);
    create table audit_events (
        id integer primary key, tenant_id text not null, actor_id text, action text not null,
        trace integer not null, payload text not null, occurred_at text not null);
    create table support_tickets (
        id integer primary key, tenant_id text not null, subject text not null, body text not null,
        requester_phone text, transcript text, credit text not null, priority integer not null,
        attachment text, opened_at text not null, closed_at text);
    create index users_by_tenant on users (tenant_id, id);
    create index configurations_by_tenant on configurations (tenant_id, id);
    create index audit_events_by_tenant on audit_events (tenant_id, id);
    create index support_tickets_by_tenant on support_tickets (tenant_id, id);
";

const GIVEN: [&str; 16] = [
    "Ada", "Bo", "Chidi", "Dara", "Eun-ji", "Farah", "Gráinne", "Hugo", "Inés", "Jun", "Kofi",
    "Léa", "Mirza", "Nneka", "Óscar", "Påhl",
];
const FAMILY: [&str; 16] = [
    "Abara",
    "Bergström",
    "Castillo",
    "Dubois",
    "Eriksen",
    "Ferrari",
    "García",
    "Haddad",
    "Ito",
    "Jansen",
    "Kowalski",
    "Lindqvist",
    "Müller",
    "Novák",
    "O’Brien",
    "Şahin",
];
const ACTIONS: [&str; 8] = [
    "user.invited",
    "user.signed_in",
    "role.granted",
    "config.changed",
    "ticket.opened",
    "ticket.closed",
    "report.shared",
    "api_key.rotated",
];
const SUBJECTS: [&str; 6] = [
    "Can't sign in after the update",
    "Invoice shows the wrong address",
    "Please raise our seat limit",
    "Report is empty since Monday",
    "Webhook arrives twice",
    "Question about retention",
];
const SENTENCES: [&str; 8] = [
    "It worked yesterday and nothing was changed on our side.",
    "The page stays blank for about ten seconds, then an error appears.",
    "Order 4711-0815-2342 is affected, order 4711-0815-2343 is not.",
    "We tried another browser with the same result.",
    "Could you look at build 7f3a9c1e5b2d4f6a8c0e1d3b5f7a9c2e4d6b8f0a?",
    "Our colleagues in Zürich and São Paulo see it too. 🤔",
    "Version 2.14.3 was fine; 2.15.0 isn't.",
    "Thanks for the quick answer last time!",
];
/// Free text as people really write it: secrets and phone numbers where they don't belong.
const LEAKS: [&str; 7] = [
    "You can reach me at +1 202-555-0143 until five.",
    "I pasted the key: AKIAIOSFODNN7EXAMPLE, please rotate it.",
    "curl -H 'Authorization: Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJkZW1vIn0.c2lnbmF0dXJlLWZvci1kZW1v' fails.",
    "password=correct-horse-battery-staple is what we set.",
    "It is in arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/db-AbCdEf.",
    "Call 020 7946 0958 and ask for support.",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIDEMOdemoDEMOdemoDEMOdemoDEMOdemoDEMOdemo\n-----END PRIVATE KEY-----",
];
/// What a spreadsheet would run.
const FORMULAS: [&str; 5] = [
    "=HYPERLINK(\"https://example.com\",\"click\")",
    "+1+1",
    "-2+3",
    "@SUM(A1:A9)",
    "\t=cmd|' /c calc'!A0",
];

/// Writes the sample database to `path`.
///
/// # Errors
/// When SQLite can't write it.
pub(super) fn write(path: &Path) -> rusqlite::Result<()> {
    let mut database = Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "DELETE")?;
    database.execute_batch(SCHEMA)?;
    let transaction = database.transaction()?;
    let mut sequence = Sequence(0x00C0_FFEE);
    for tenant in &TENANTS {
        users(&transaction, tenant, &mut sequence)?;
        configurations(&transaction, tenant, &mut sequence)?;
        audit_events(&transaction, tenant, &mut sequence)?;
        tickets(&transaction, tenant, &mut sequence)?;
    }
    transaction.commit()
}

fn users(to: &Transaction<'_>, tenant: &SampleTenant, some: &mut Sequence) -> rusqlite::Result<()> {
    let mut insert =
        to.prepare("insert into users values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)")?;
    for number in 0..tenant.users {
        let name = match some.below(60) {
            0 => some.of(&FORMULAS).to_owned(),
            _ => format!("{} {}", some.of(&GIVEN), some.of(&FAMILY)),
        };
        let settings = json!({
            "theme": some.of(&["light", "dark"]),
            "shortcuts": {"😀 mood": true, "ﬁ ligature": null, "Ä": number},
            "columns": [some.below(9), some.below(9), {"width": 12.5, "pinned": some.below(2) == 0}],
        });
        insert.execute(params![
            some.uuid(),
            tenant.id,
            name,
            format!("person-{number}@{}.example.com", tenant.id),
            (some.below(3) > 0).then(|| format!("+1 202-555-01{:02}", some.below(100))),
            (some.below(2) == 0).then(|| some.prose()),
            settings.to_string(),
            some.below(5_000),
            (some.below(10) > 0).then(|| f64::from(some.below(10_000)) / 64.0),
            some.below(10) > 0,
            format!("$argon2id$v=19$m=19456,t=2,p=1${:032x}", some.next()),
            (some.below(4) > 0).then(|| format!(
                "19{}-0{}-1{}",
                60 + some.below(40),
                1 + some.below(9),
                some.below(10)
            )),
            some.moment(),
        ])?;
    }
    Ok(())
}

fn configurations(
    to: &Transaction<'_>,
    tenant: &SampleTenant,
    some: &mut Sequence,
) -> rusqlite::Result<()> {
    let mut insert =
        to.prepare("insert into configurations values (?1,?2,?3,?4,?5,?6,?7,?8,?9)")?;
    for number in 0..tenant.configurations {
        let settings = json!({
            "retries": some.below(5),
            "endpoint": format!("https://hooks.example.com/{number}"),
            "auth": {"header": "Bearer demo-0123456789abcdef0123456789abcdef"},
            "limits": {"min": -0.0, "max": 1e21, "step": 1e-7},
        });
        insert.execute(params![
            some.uuid(),
            tenant.id,
            format!("pipeline-{number}"),
            some.prose(),
            settings.to_string(),
            "[database]\npassword = \"demo\"\n",
            (some.below(3) == 0).then_some("vault:secret/data/prod#db"),
            1 + some.below(40),
            some.moment(),
        ])?;
    }
    Ok(())
}

fn audit_events(
    to: &Transaction<'_>,
    tenant: &SampleTenant,
    some: &mut Sequence,
) -> rusqlite::Result<()> {
    let mut insert = to.prepare(
        "insert into audit_events (tenant_id, actor_id, action, trace, payload, occurred_at)
         values (?1,?2,?3,?4,?5,?6)",
    )?;
    for _ in 0..tenant.audit_events {
        // Beyond 2^53: exact only as a string, which is why the catalog says `bigint`.
        let trace = 9_007_199_254_740_993 + i64::from(some.below(1_000_000));
        let payload = json!({
            "from": some.below(9),
            "to": some.below(9),
            "note": if some.below(40) == 0 { some.of(&LEAKS) } else { some.of(&SENTENCES) },
            "nested": {"a": {"b": {"c": [1, 2, {"d": "deep"}]}}},
        });
        insert.execute(params![
            tenant.id,
            (some.below(20) > 0).then(|| some.uuid()),
            some.of(&ACTIONS),
            trace,
            payload.to_string(),
            some.moment(),
        ])?;
    }
    Ok(())
}

fn tickets(
    to: &Transaction<'_>,
    tenant: &SampleTenant,
    some: &mut Sequence,
) -> rusqlite::Result<()> {
    let mut insert = to.prepare(
        "insert into support_tickets (tenant_id, subject, body, requester_phone, transcript, credit, priority,
         attachment, opened_at, closed_at) values (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10)",
    )?;
    for number in 0..tenant.tickets {
        let subject = match some.below(25) {
            0 => some.of(&FORMULAS),
            _ => some.of(&SUBJECTS),
        };
        insert.execute(params![
            tenant.id,
            subject,
            some.prose(),
            (some.below(2) == 0).then(|| format!("+44 20 7946 0{:03}", some.below(1_000))),
            "[agent] Hello! [caller] Hi, my number is 202-555-0117.",
            format!("{}.{:02}", some.below(90), some.below(100)),
            1 + some.below(4),
            (some.below(5) == 0)
                .then(|| format!("https://media.example.com/{}/{number}.png", tenant.id)),
            some.moment(),
            (some.below(3) > 0).then(|| some.moment()),
        ])?;
    }
    Ok(())
}

/// A fixed sequence of numbers (SplitMix64, Steele et al. 2014): the demo's data is the same everywhere.
struct Sequence(u64);

impl Sequence {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or(0)
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        let index = self.below(u32::try_from(choices.len()).unwrap_or(1)) as usize;
        choices.get(index).copied().unwrap_or("")
    }

    fn uuid(&mut self) -> String {
        let bytes = (u128::from(self.next()) << 64) | u128::from(self.next());
        uuid::Builder::from_random_bytes(bytes.to_be_bytes())
            .into_uuid()
            .to_string()
    }

    /// Two or three sentences; one time in twelve somebody has pasted what they shouldn't.
    fn prose(&mut self) -> String {
        let first = self.of(&SENTENCES);
        let leaks = self.below(12) == 0;
        let second = if leaks {
            self.of(&LEAKS)
        } else {
            self.of(&SENTENCES)
        };
        match self.below(3) {
            0 => format!("{first} {second} {}", self.of(&SENTENCES)),
            _ => format!("{first} {second}"),
        }
    }

    /// A moment of the year 2025, as SQLite writes it.
    fn moment(&mut self) -> String {
        format!(
            "2025-{:02}-{:02} {:02}:{:02}:{:02}",
            1 + self.below(12),
            1 + self.below(28),
            self.below(24),
            self.below(60),
            self.below(60)
        )
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_sample_data_is_the_same_every_time_and_has_thousands_of_rows() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |name: &str| -> (i64, i64) {
            let path = folder.path().join(name);
            write(&path).unwrap();
            Connection::open(&path)
                .unwrap()
                .query_row(
                    "select (select count(*) from users) + (select count(*) from configurations)
                          + (select count(*) from audit_events) + (select count(*) from support_tickets),
                        (select sum(length(body) * id) from support_tickets)",
                    [],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .unwrap()
        };
        let first = digest("one.db");
        assert_eq!(first, digest("two.db"));
        assert!(first.0 > 20_000);
    }
}
