//! The rows that are exported: a million of them, made once by a fixed sequence and kept beside the build.

use std::path::{Path, PathBuf};

use uuid::Uuid;

/// The database with so many rows; made once and kept with the build's temporary files.
pub(crate) fn database(rows: u64) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("export-bench-1-{rows}.db"));
    if !path.exists() {
        println!("generating {rows} rows");
        let unfinished = path.with_extension("new");
        let _ = std::fs::remove_file(&unfinished);
        generate(&unfinished, rows);
        std::fs::rename(&unfinished, &path).unwrap();
    }
    path
}

fn generate(path: &Path, rows: u64) {
    let mut connection = rusqlite::Connection::open(path).unwrap();
    connection
        .execute_batch(
            "pragma journal_mode = off; pragma synchronous = off;
             create table tickets (id integer primary key, tenant text, uid text, name text, email text, subject text, body text,
                                   amount real, created_at text, active integer);",
        )
        .unwrap();
    let transaction = connection.transaction().unwrap();
    {
        let mut insert = transaction
            .prepare("insert into tickets values (?1, 'acme', ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")
            .unwrap();
        let mut chance = Chance(42);
        for id in 1..=rows {
            let (first, last) = (chance.pick(FIRST), chance.pick(LAST));
            let name = format!("{first} {last}");
            let email = format!(
                "{}.{}{}@example.com",
                first.to_lowercase(),
                last.to_lowercase(),
                chance.below(1000)
            );
            let uid = Uuid::from_u64_pair(chance.next(), chance.next()).to_string();
            let body_words = 6 + chance.below(8);
            let created = 1_600_000_000 + i64::try_from(chance.below(100_000_000)).unwrap();
            let created = jiff::Timestamp::from_second(created)
                .unwrap()
                .strftime("%Y-%m-%d %H:%M:%S")
                .to_string();
            let amount = chance.below(100_000) as f64 / 100.0;
            let (subject, body) = (chance.words(3), chance.words(body_words));
            insert
                .execute(rusqlite::params![
                    i64::try_from(id).unwrap(),
                    uid,
                    name,
                    email,
                    subject,
                    body,
                    amount,
                    created,
                    chance.below(2) == 1
                ])
                .unwrap();
        }
    }
    transaction.commit().unwrap();
}

/// The same rows every time (xorshift64*).
pub(crate) struct Chance(pub(crate) u64);

impl Chance {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 33) % bound
    }

    pub(crate) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        words[usize::try_from(self.below(words.len() as u64)).unwrap()]
    }

    pub(crate) fn words(&mut self, count: u64) -> String {
        let words: Vec<&str> = (0..count).map(|_| self.pick(WORDS)).collect();
        words.join(" ")
    }
}

const FIRST: &[&str] = &[
    "Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Tony", "Leslie", "Frances", "Ken",
    "Dennis", "Niklaus", "John", "Radia", "Margaret", "Jürgen",
];
const LAST: &[&str] = &[
    "Lovelace", "Hopper", "Turing", "Dijkstra", "Liskov", "Knuth", "Hoare", "Lamport", "Allen",
    "Thompson", "Ritchie", "Wirth", "Backus", "Perlman", "Hamilton", "Müller",
];
const WORDS: &[&str] = &[
    "account",
    "after",
    "again",
    "answer",
    "arrived",
    "asked",
    "before",
    "billing",
    "broken",
    "browser",
    "cannot",
    "changed",
    "charged",
    "closed",
    "customer",
    "damaged",
    "delivery",
    "different",
    "email",
    "error",
    "export",
    "failed",
    "feature",
    "first",
    "found",
    "invoice",
    "language",
    "late",
    "letter",
    "login",
    "manager",
    "message",
    "missing",
    "moment",
    "nothing",
    "number",
    "opened",
    "order",
    "package",
    "page",
    "password",
    "payment",
    "please",
    "price",
    "problem",
    "question",
    "quickly",
    "receipt",
    "refund",
    "report",
    "request",
    "return",
    "screen",
    "second",
    "service",
    "shipping",
    "slow",
    "support",
    "thanks",
    "ticket",
    "twice",
    "update",
    "waiting",
    "wrong",
];
