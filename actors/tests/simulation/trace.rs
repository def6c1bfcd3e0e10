//! What happened, in order, for people to read.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{Context, SHA256};
use carnet_events::envelope::Recorded;
use carnet_events::ids::Digest;

use crate::time::Time;

/// Lines at the end of a trace that are shown for a violation.
const SHOWN: usize = 400;

/// Clones are one trace.
#[derive(Clone)]
pub struct Trace {
    time: Time,
    kept: Arc<Mutex<Kept>>,
}

struct Kept {
    lines: Vec<String>,
    /// Over all lines and all events.
    digest: Context,
}

impl Trace {
    pub fn new(time: Time) -> Self {
        Self {
            time,
            kept: Arc::new(Mutex::new(Kept {
                lines: Vec::new(),
                digest: Context::new(&SHA256),
            })),
        }
    }

    pub fn line(&self, who: &str, what: &str) {
        let at = self.time.elapsed().as_secs_f64();
        let line = format!("{at:>9.3}s {who:<8} {what}");
        let mut kept = self.kept.lock().unwrap();
        kept.digest.update(line.as_bytes());
        kept.lines.push(line);
    }

    /// Takes an event into the digest, with every byte that a store keeps of it.
    pub fn event(&self, event: &Recorded) {
        let digest = &mut self.kept.lock().unwrap().digest;
        digest.update(event.stream.as_str().as_bytes());
        digest.update(&event.revision.to_be_bytes());
        digest.update(&event.position.commit.to_be_bytes());
        digest.update(event.id.as_bytes());
        digest.update(event.kind.as_bytes());
        digest.update(&event.data);
        digest.update(&event.metadata);
    }

    pub fn digest(&self) -> Digest {
        let digest = self.kept.lock().unwrap().digest.clone().finish();
        Digest::from_bytes(digest.as_ref().try_into().unwrap())
    }

    /// Where two traces part.
    pub fn parting(&self, other: &Self) -> String {
        let (one, other) = (self.kept.lock().unwrap(), other.kept.lock().unwrap());
        let mut both = one.lines.iter().zip(&other.lines);
        let parting = both.find(|(one, other)| one != other);
        parting.map_or_else(String::new, |(one, other)| format!("{one}\n{other}"))
    }

    /// The lines that speak of any of `words`, and of what befell nodes, store and bucket.
    pub fn about(&self, words: &[String]) -> String {
        let kept = self.kept.lock().unwrap();
        let speaks = |line: &&String| {
            line.contains("==") || words.iter().any(|word| line.contains(word.as_str()))
        };
        let lines: Vec<&String> = kept.lines.iter().filter(speaks).collect();
        let mut text = String::new();
        for line in lines.iter().skip(lines.len().saturating_sub(SHOWN)) {
            writeln!(text, "{line}").unwrap();
        }
        text
    }
}
