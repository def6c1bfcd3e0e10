//! One automaton over every word that something to be found begins with, and the detector behind each.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, AhoCorasickKind, StartKind};

use super::Hit;
use super::token::{self, TOKENS};
use super::{assigned, reference};

/// A detector, given the text and where its trigger starts and ends.
type Check = fn(&[u8], usize, usize) -> Option<Hit>;

enum Detector {
    Token(usize),
    Check(Check),
}

/// Compared without regard to case; what needs it compares again.
struct Triggers {
    automaton: AhoCorasick,
    /// By the automaton's pattern.
    detectors: Vec<Detector>,
}

static TRIGGERS: LazyLock<Option<Triggers>> = LazyLock::new(Triggers::build);

impl Triggers {
    fn build() -> Option<Self> {
        let checks: [(&[&str], Check); 8] = [
            (&["eyJ"], |text, start, _| {
                token::json_web_token(text, start)
            }),
            (&["-----BEGIN "], token::private_key),
            (&[":AA"], |text, start, _| {
                token::telegram_token(text, start)
            }),
            (&["bearer "], assigned::bearer),
            (&["basic "], assigned::basic),
            (&["://"], assigned::url_password),
            (assigned::WORDS, assigned::assigned),
            (reference::WORDS, reference::reference),
        ];
        let mut words = Vec::new();
        let mut detectors = Vec::new();
        for (at, token) in TOKENS.iter().enumerate() {
            words.push(token.prefix);
            detectors.push(Detector::Token(at));
        }
        for (triggers, check) in checks {
            for word in triggers {
                words.push(word);
                detectors.push(Detector::Check(check));
            }
        }
        let automaton = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::DFA))
            .start_kind(StartKind::Unanchored)
            .build(words)
            .ok()?;
        Some(Self {
            automaton,
            detectors,
        })
    }
}

/// Appends what is found. Each detector looks at most as far as the thing it finds, or a bounded distance.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    // The automaton is built from constants, and a test builds it.
    let Some(triggers) = TRIGGERS.as_ref() else {
        return;
    };
    let mut found_until = 0;
    for word in triggers.automaton.find_overlapping_iter(text) {
        // Inside something already found there is nothing more to find.
        if word.start() < found_until {
            continue;
        }
        let hit = match triggers.detectors.get(word.pattern().as_usize()) {
            Some(Detector::Token(at)) => TOKENS
                .get(*at)
                .and_then(|token| token.check(text, word.start())),
            Some(Detector::Check(check)) => check(text, word.start(), word.end()),
            None => None,
        };
        if let Some(hit) = hit {
            found_until = found_until.max(hit.range.end);
            hits.push(hit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::detect::profile::MIN_RUN;

    #[test]
    fn the_automaton_can_be_built() {
        assert!(TRIGGERS.is_some());
    }

    #[test]
    fn no_token_is_too_short_for_the_profile() {
        for token in TOKENS {
            let assigned = token.prefix.contains(['=', ':']);
            assert!(
                assigned || token.shortest() >= MIN_RUN as usize,
                "{token:?}"
            );
        }
    }
}
