//! Phone numbers: E.164 with any grouping, and the national forms that can be told from other numbers.
//!
//! Digits and what stands between them form a *run* of groups. What counts as a phone number within a run:
//!
//! | form | example | told by |
//! |---|---|---|
//! | international | `+49 30 1234567` | the `+` |
//! | North American | `(415) 555-2671`, `1-800-555-0199` | groups of 3, 3 and 4, whose first digits are 2 to 9 |
//! | with prefix 00 | `0044 20 7946 0958` | the whole run, grouped |
//! | national | `030 1234567`, `06 12 34 56 78`, `(02) 9876 5432`, `(0)170 1234567` | the whole run: a leading 0, grouped, 9 to 12 digits |
//! | Russian | `8 912 345-67-89` | groups of 1, 3, 3, 2 and 2 after an 8 |
//! | after a word | `phone: 5551234567`, `call 5551234` | the word |
//!
//! Bare digits without such a word are left alone: they are order numbers, ids and times more often than phones.

use super::words::{is_phone, names_another_number};
use super::{Hit, Kind, bytes};

/// Groups that are looked at; a run with more isn't a phone number.
const MAX_GROUPS: usize = 12;
/// How far back a word is looked for.
const LOOK_BACK: usize = 40;
/// ITU-T E.164.
const MAX_DIGITS: usize = 15;

/// Some digits in a row.
#[derive(Debug, Clone, Copy)]
struct Group {
    start: usize,
    end: usize,
}

impl Group {
    const fn len(self) -> usize {
        self.end - self.start
    }
}

/// Groups with separators between them.
struct Run<'a> {
    text: &'a [u8],
    groups: Vec<Group>,
}

/// Appends every phone number in `text`.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    let mut at = 0;
    let mut run = Run {
        text,
        groups: Vec::with_capacity(MAX_GROUPS),
    };
    while let Some(digit) = text
        .get(at..)
        .and_then(|rest| rest.iter().position(u8::is_ascii_digit))
    {
        at = run.read(at + digit);
        run.find(hits);
    }
}

impl Run<'_> {
    /// Reads the run whose first digit is at `start`; returns where to go on.
    fn read(&mut self, start: usize) -> usize {
        self.groups.clear();
        let mut at = start;
        loop {
            let end = bytes::run_end(self.text, at, |byte| byte.is_ascii_digit());
            self.groups.push(Group { start: at, end });
            let next = end + separator(self.text, end);
            let goes_on = next > end && self.text.get(next).is_some_and(u8::is_ascii_digit);
            // A plus begins another number.
            if !goes_on || self.text.get(end..next).unwrap_or_default().contains(&b'+') {
                return end;
            }
            at = next;
        }
    }

    fn find(&self, hits: &mut Vec<Hit>) {
        let mut first = 0;
        while first < self.groups.len() {
            match self.at(first) {
                Some((start, groups)) => {
                    let end = self
                        .groups
                        .get(first + groups - 1)
                        .map_or(start, |group| group.end);
                    hits.push(Hit {
                        range: start..end,
                        kind: Kind::Phone,
                    });
                    first += groups;
                }
                None => first += 1,
            }
        }
    }

    /// The phone number whose first group this is: where it starts, and its number of groups.
    fn at(&self, first: usize) -> Option<(usize, usize)> {
        let group = *self.groups.get(first)?;
        if let Some(start) = self.plus_before(group.start) {
            return self.international(first).map(|groups| (start, groups));
        }
        let open = bytes::before(self.text, group.start) == Some(b'(');
        let start = group.start - usize::from(open);
        if !self.begins_here(first, start) {
            return None;
        }
        if let Some(groups) = self.north_american(first, open) {
            return Some((start, groups));
        }
        if first > 0 {
            return None;
        }
        match self.word_before(start) {
            Some(true) => self.named().map(|groups| (start, groups)),
            Some(false) => None,
            None => self.national(open).map(|groups| (start, groups)),
        }
    }

    /// Where the plus of a number is whose digits begin at `start`: `+49`, `+(49)`.
    fn plus_before(&self, start: usize) -> Option<usize> {
        let open = usize::from(bytes::before(self.text, start) == Some(b'('));
        let plus = start.checked_sub(open + 1)?;
        let is_plus = self.text.get(plus) == Some(&b'+');
        let free = !bytes::before(self.text, plus)
            .is_some_and(|byte| bytes::is_word(byte) || byte == b'+' || byte == b')');
        (is_plus && free && self.text.get(start) != Some(&b'0')).then_some(plus)
    }

    /// The most groups that make 8 to 15 digits.
    fn international(&self, first: usize) -> Option<usize> {
        let mut digits = 0;
        let mut found = None;
        for (count, group) in self.groups.iter().skip(first).take(MAX_GROUPS).enumerate() {
            digits += group.len();
            if digits > MAX_DIGITS {
                break;
            }
            if digits >= 8 && self.ends_at(first + count) {
                found = Some(count + 1);
            }
        }
        // One point with one or two digits after it makes a price.
        let price = found == Some(2)
            && self.separator_after(first) == b"."
            && self
                .groups
                .get(first + 1)
                .is_some_and(|group| group.len() <= 2);
        found.filter(|_| !price)
    }

    /// `[1] 3-3-4`.
    fn north_american(&self, first: usize, open: bool) -> Option<usize> {
        let trunk = usize::from(!open && self.digits(first) == b"1");
        let at = first + trunk;
        let [area, exchange, line] = [self.digits(at), self.digits(at + 1), self.digits(at + 2)];
        let leads = |group: &[u8]| matches!(group.first(), Some(b'2'..=b'9'));
        let shape = area.len() == 3
            && exchange.len() == 3
            && line.len() == 4
            && leads(area)
            && leads(exchange);
        let (left, right) = (self.separator_after(at), self.separator_after(at + 1));
        let dashed = left == right || left.contains(&b')');
        (shape && dashed && self.ends_at(at + 2)).then_some(trunk + 3)
    }

    /// A national number, or one with the prefix 00: the whole run.
    fn national(&self, open: bool) -> Option<usize> {
        let lengths: Vec<usize> = self.groups.iter().map(|group| group.len()).collect();
        let digits: usize = lengths.iter().sum();
        let first = self.digits(0);
        let count = lengths.len();
        if !(2..=MAX_GROUPS).contains(&count) || !self.ends_at(count - 1) {
            return None;
        }
        let prefixed = first.starts_with(b"00");
        let right = if prefixed {
            let next = first.get(2).or_else(|| self.digits(1).first());
            first.len() <= 6
                && (10..=MAX_DIGITS + 2).contains(&digits)
                && next.is_some_and(|digit| *digit != b'0')
        } else if lengths == [1, 3, 3, 2, 2] {
            first == b"8" && matches!(self.digits(1).first(), Some(b'3' | b'4' | b'8' | b'9'))
        } else {
            let bracketed = open && first == b"0" && self.separator_after(0) == b")";
            first.first() == Some(&b'0')
                && (bracketed || (2..=6).contains(&first.len()))
                && (9..=12).contains(&digits)
        };
        let postal_code = lengths == [5, 4];
        let social_security = lengths == [3, 2, 4];
        let date = matches!(lengths.as_slice(), [2, 2, 4, ..])
            && self.separator_after(0) == self.separator_after(1)
            && self.separator_after(0) != b" ";
        // A number of one digit between others is a check digit, as in ISBNs.
        let check_digit = !prefixed && lengths.last() == Some(&1);
        (right && (open || !(postal_code || social_security || date || check_digit)))
            .then_some(count)
    }

    /// Any grouping at all, for a word says that it is a phone number.
    fn named(&self) -> Option<usize> {
        let mut digits = 0;
        let mut found = None;
        for (count, group) in self.groups.iter().take(MAX_GROUPS).enumerate() {
            digits += group.len();
            if (7..=MAX_DIGITS).contains(&digits) && self.ends_at(count) {
                found = Some(count + 1);
            }
        }
        found
    }

    fn digits(&self, group: usize) -> &[u8] {
        self.groups
            .get(group)
            .and_then(|group| self.text.get(group.start..group.end))
            .unwrap_or_default()
    }

    fn separator_after(&self, group: usize) -> &[u8] {
        let bounds = self.groups.get(group).zip(self.groups.get(group + 1));
        bounds
            .and_then(|(left, right)| self.text.get(left.end..right.start))
            .unwrap_or_default()
    }

    /// Whether a number can begin with this group: not in the middle of a word, a longer number, a decimal or an amount of money.
    fn begins_here(&self, first: usize, start: usize) -> bool {
        if first > 0 {
            return self
                .separator_after(first - 1)
                .iter()
                .all(|byte| matches!(byte, b' ' | b'('));
        }
        bytes::before(self.text, start).is_none_or(|byte| {
            byte.is_ascii_whitespace()
                || b"([{<\"'`:,;=|>!?*".contains(&byte)
                || (byte == b'.' && self.letter_before(start - 1))
                || byte == b'/'
        }) && !self.in_path(start)
    }

    fn letter_before(&self, at: usize) -> bool {
        bytes::before(self.text, at).is_some_and(|byte| byte.is_ascii_alphabetic())
    }

    /// Whether this is part of a path or URL.
    fn in_path(&self, start: usize) -> bool {
        bytes::before(self.text, start) == Some(b'/')
            && !self
                .text
                .get(..start - 1)
                .is_some_and(|before| before.is_empty() || before.ends_with(b" "))
    }

    /// Whether a number can end with this group.
    fn ends_at(&self, group: usize) -> bool {
        if group + 1 < self.groups.len() {
            return matches!(
                self.separator_after(group),
                b" " | b"  " | b", " | b" (" | b" / " | b" - "
            );
        }
        let Some(end) = self.groups.get(group).map(|group| group.end) else {
            return false;
        };
        match self.text.get(end..).unwrap_or_default() {
            // An extension.
            [b'x', digit, ..] if digit.is_ascii_digit() => true,
            [b':' | b'-' | b'/' | b'.' | b',', next, ..] => !bytes::is_word(*next),
            [byte, ..] => !bytes::is_word(*byte) && *byte != b'%',
            [] => true,
        }
    }

    /// Whether one of the words before `start` says that a phone number comes (`true`) or another number (`false`).
    fn word_before(&self, start: usize) -> Option<bool> {
        let from = start.saturating_sub(LOOK_BACK);
        let before = String::from_utf8_lossy(self.text.get(from..start)?);
        let words = before
            .rsplit(|c: char| !c.is_alphabetic())
            .filter(|word| !word.is_empty())
            .take(3);
        words.map(str::to_lowercase).find_map(|word| {
            if is_phone(&word) {
                Some(true)
            } else if names_another_number(&word) {
                Some(false)
            } else {
                None
            }
        })
    }
}

/// The length of what may stand between two groups at `at`.
fn separator(text: &[u8], at: usize) -> usize {
    const NARROW: [&[u8]; 4] = [
        "\u{a0}".as_bytes(),
        "\u{2009}".as_bytes(),
        "\u{202f}".as_bytes(),
        "\u{2011}".as_bytes(),
    ];
    let mut length = 0;
    for _ in 0..3 {
        let rest = text.get(at + length..).unwrap_or_default();
        match rest.first() {
            Some(b' ' | b'-' | b'.' | b'/' | b'(' | b')') => length += 1,
            Some(0x80..) => match NARROW.iter().find(|space| rest.starts_with(space)) {
                Some(space) => length += space.len(),
                None => break,
            },
            _ => break,
        }
    }
    length
}
