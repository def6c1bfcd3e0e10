//! Text and JSON on their way out: redacted, neutralised, escaped.

use crate::export::canonical::json::{Canonicaliser, Rewrite};
use crate::export::canonical::string::{write_escaped, write_string};
use crate::export::detect::{Counts, KeyMeaning, Kind, Profile, Redactor, key_meaning};
use crate::export::error::ValueError;
use crate::export::neutralise;
use crate::export::source::MAX_CELL;

/// What is done to a text or JSON column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scan {
    /// Nothing is looked for.
    No,
    /// What must not leave is replaced.
    Yes {
        /// E-mail addresses too.
        email: bool,
    },
}

/// Writes texts and documents; counts what it does; keeps its memory.
#[derive(Default)]
pub(super) struct TextWriter {
    cleaner: Cleaner,
    canonicaliser: Canonicaliser,
    redacted: String,
}

impl TextWriter {
    /// What was found so far, and how many values were neutralised.
    pub(super) fn counts(&self) -> (Counts, u64) {
        (self.cleaner.counts, self.cleaner.neutralised)
    }

    /// Appends a text as a JSON string.
    pub(super) fn text(
        &mut self,
        out: &mut Vec<u8>,
        bytes: &[u8],
        scan: Scan,
    ) -> Result<(), ValueError> {
        if bytes.len() > MAX_CELL {
            return Err(ValueError::TooLarge);
        }
        let profile = Profile::of(bytes);
        let text = std::str::from_utf8(bytes).map_err(|_| ValueError::Utf8)?;
        self.redacted.clear();
        let changed = match scan {
            Scan::No => false,
            Scan::Yes { email } => {
                let Cleaner {
                    redactor, counts, ..
                } = &mut self.cleaner;
                redactor.redact(text, profile, email, counts, &mut self.redacted)
            }
        };
        let text = if changed { &self.redacted } else { text };
        out.push(b'"');
        if neutralise::needed(text) {
            self.cleaner.neutralised += 1;
            out.push(neutralise::MARK as u8);
        }
        if !changed && profile.is_plain_json() {
            out.extend_from_slice(bytes);
        } else {
            write_escaped(out, text.as_bytes());
        }
        out.push(b'"');
        Ok(())
    }

    /// Appends a JSON document in canonical form.
    pub(super) fn json(
        &mut self,
        out: &mut Vec<u8>,
        bytes: &[u8],
        scan: Scan,
    ) -> Result<(), ValueError> {
        if bytes.len() > MAX_CELL {
            return Err(ValueError::TooLarge);
        }
        let document = std::str::from_utf8(bytes).map_err(|_| ValueError::Utf8)?;
        self.cleaner.scan = scan;
        self.cleaner.within.clear();
        Ok(self.canonicaliser.write(document, &mut self.cleaner, out)?)
    }
}

/// Appends `***` and the last `keep_last` characters of a text that is at least three times as long: more than a third of a value is never shown.
pub(super) fn write_masked(out: &mut Vec<u8>, text: &str, keep_last: u8) {
    let keep = usize::from(keep_last);
    let length = text.chars().count();
    let tail = if length >= 3 * keep {
        text.char_indices()
            .nth(length - keep)
            .map_or("", |(at, _)| text.get(at..).unwrap_or(""))
    } else {
        ""
    };
    write_string(out, &format!("***{tail}"));
}

/// Redacts and neutralises the texts inside JSON documents.
struct Cleaner {
    redactor: Redactor,
    counts: Counts,
    neutralised: u64,
    scan: Scan,
    /// For each of the objects being read, outermost first, what the nearest key of a credential above its members says.
    within: Vec<Option<KeyMeaning>>,
}

impl Default for Cleaner {
    fn default() -> Self {
        Self {
            redactor: Redactor::default(),
            counts: Counts::default(),
            neutralised: 0,
            scan: Scan::No,
            within: Vec::new(),
        }
    }
}

impl Cleaner {
    fn replace(&mut self, kind: Kind, out: &mut String) -> bool {
        self.counts.add(kind);
        out.push_str(kind.replacement());
        true
    }

    fn clean(&mut self, text: &str, out: &mut String) -> bool {
        let redacted = match self.scan {
            Scan::No => false,
            Scan::Yes { email } => self.redactor.redact(
                text,
                Profile::of(text.as_bytes()),
                email,
                &mut self.counts,
                out,
            ),
        };
        if !neutralise::needed(if redacted { out } else { text }) {
            return redacted;
        }
        self.neutralised += 1;
        if !redacted {
            out.push_str(text);
        }
        out.insert(0, neutralise::MARK);
        true
    }

    fn meaning(&self, key: Option<&str>) -> Option<KeyMeaning> {
        key.filter(|_| self.scan != Scan::No).and_then(key_meaning)
    }
}

impl Rewrite for Cleaner {
    fn value(&mut self, key: Option<&str>, text: &str, out: &mut String) -> bool {
        let said = self.meaning(key).and_then(|meaning| meaning.of_text(text));
        let further_up = || {
            let meaning = self.within.last().copied().flatten()?;
            meaning.of_text_within(text)
        };
        match said.or_else(further_up) {
            Some(kind) => self.replace(kind, out),
            None => self.clean(text, out),
        }
    }

    fn key(&mut self, key: &str, out: &mut String) -> bool {
        self.clean(key, out)
    }

    fn enter(&mut self, key: Option<&str>) {
        let outer = self.within.last().copied().flatten();
        self.within
            .push(KeyMeaning::within(outer, self.meaning(key)));
    }

    fn leave(&mut self) {
        self.within.pop();
    }

    fn number(&mut self, key: Option<&str>, literal: &str, out: &mut String) -> bool {
        match self
            .meaning(key)
            .and_then(|meaning| meaning.of_number(literal))
        {
            Some(kind) => self.replace(kind, out),
            None => false,
        }
    }
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
