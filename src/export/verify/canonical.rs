//! Checks that a JSON value is spelt as RFC 8785 asks, byte for byte, without holding it.

use std::cmp::Ordering;

use super::input::Input;
use super::{Checked, Limits, Reason};
use crate::export::artifact::manifest::utf16_cmp;

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// The longest canonical number, such as `-0.0000033333333333333333`.
const MAX_NUMBER: usize = 25;

/// The checker: a recursive descent whose depth is bounded, and the keys of the objects it is in.
pub(super) struct Checker<'a> {
    pub(super) input: Input<'a>,
    limits: Limits,
    /// For each open object, the key that the next must sort after; one after the other.
    keys: Vec<u8>,
}

/// Where an object's last key begins in [`Checker::keys`]; none before the first.
#[derive(Clone, Copy)]
pub(super) struct LastKey {
    from: usize,
    any: bool,
}

impl<'a> Checker<'a> {
    pub(super) fn new(input: Input<'a>, limits: Limits) -> Self {
        Self {
            input,
            limits,
            keys: Vec::new(),
        }
    }

    /// Checks the value that is next.
    pub(super) fn value(&mut self, depth: usize) -> Checked<()> {
        match self.input.peek()? {
            Some(b'"') => self.string(false).map(drop),
            Some(b'0'..=b'9' | b'-') => self.number(),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'n') => self.literal(b"null"),
            Some(b't') => self.literal(b"true"),
            Some(b'f') => self.literal(b"false"),
            Some(_) => Err(self.not_canonical("a value was expected")),
            None => Err(self.input.truncated()),
        }
    }

    /// Passes over `literal`, which must be next.
    pub(super) fn literal(&mut self, literal: &[u8]) -> Checked<()> {
        if self.input.eat(literal)? {
            return Ok(());
        }
        let ahead = self.input.ahead()?;
        if ahead.len() < literal.len() && literal.starts_with(ahead) {
            return Err(self.input.truncated());
        }
        Err(self.not_canonical("an unexpected character"))
    }

    fn object(&mut self, depth: usize) -> Checked<()> {
        self.enter(depth)?;
        if self.input.eat(b"}")? {
            return Ok(());
        }
        let mut last = self.open_keys();
        loop {
            self.key(&mut last)?;
            self.value(depth + 1)?;
            if !self.another(b'}')? {
                self.close_keys(last);
                return Ok(());
            }
        }
    }

    fn array(&mut self, depth: usize) -> Checked<()> {
        self.enter(depth)?;
        if self.input.eat(b"]")? {
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            if !self.another(b']')? {
                return Ok(());
            }
        }
    }

    fn enter(&mut self, depth: usize) -> Checked<()> {
        if depth >= self.limits.depth {
            return Err(self.input.found(Reason::Limit("nesting is too deep")));
        }
        self.input.pass(1);
        Ok(())
    }

    /// After a member: whether another follows, or `end` closes the container.
    pub(super) fn another(&mut self, end: u8) -> Checked<bool> {
        match self.input.peek()? {
            Some(b',') => {
                self.input.pass(1);
                Ok(true)
            }
            Some(byte) if byte == end => {
                self.input.pass(1);
                Ok(false)
            }
            Some(_) => {
                Err(self.not_canonical("a comma or the end of an object or array was expected"))
            }
            None => Err(self.input.truncated()),
        }
    }

    /// Begins an object's keys.
    pub(super) fn open_keys(&self) -> LastKey {
        LastKey {
            from: self.keys.len(),
            any: false,
        }
    }

    /// Forgets an object's keys.
    pub(super) fn close_keys(&mut self, last: LastKey) {
        self.keys.truncate(last.from);
    }

    /// Checks a key and its colon: it must sort after the object's last.
    pub(super) fn key(&mut self, last: &mut LastKey) -> Checked<&[u8]> {
        let from = self.keys.len();
        if self.input.peek()? != Some(b'"') {
            return Err(if self.input.peek()?.is_none() {
                self.input.truncated()
            } else {
                self.not_canonical("a key was expected")
            });
        }
        self.string(true)?;
        if last.any {
            let (before, key) = self.keys.split_at(from);
            match utf16_cmp(before.get(last.from..).unwrap_or_default(), key) {
                Ordering::Less => {}
                Ordering::Equal => return Err(self.input.found(Reason::DuplicateKey)),
                Ordering::Greater => return Err(self.not_canonical("keys are out of order")),
            }
            self.keys.drain(last.from..from);
        }
        last.any = true;
        self.literal(b":")?;
        Ok(self.keys.get(last.from..).unwrap_or_default())
    }

    /// Checks a string, keeping its text among the keys if it is one.
    fn string(&mut self, keep: bool) -> Checked<()> {
        self.input.pass(1);
        let mut bytes = 0_u64;
        loop {
            let ahead = self.input.ahead()?;
            let (plain, ascii) = plain(ahead);
            let run = ahead.get(..plain).unwrap_or_default();
            let valid = if ascii { plain } else { valid_utf8(run) };
            let next = ahead.get(plain).copied();
            if valid < plain && (next.is_some() || plain - valid > 3) {
                // A character that is cut off by the end of the buffer is looked at again with what follows.
                self.input.pass(valid);
                return Err(self.not_canonical("a string is not UTF-8"));
            }
            if keep {
                self.keys
                    .extend_from_slice(ahead.get(..valid).unwrap_or_default());
            }
            self.input.pass(valid);
            bytes += valid as u64;
            if bytes > self.limits.string_bytes {
                return Err(self.input.found(Reason::Limit("a string is too long")));
            }
            if self.keys.len() > self.limits.key_bytes {
                return Err(self.input.found(Reason::Limit("keys are too long")));
            }
            match next {
                Some(b'"') => {
                    self.input.pass(1);
                    return Ok(());
                }
                Some(b'\\') => {
                    let (escaped, length) = self.escape()?;
                    self.input.pass(length);
                    bytes += 1;
                    if keep {
                        self.keys.push(escaped);
                    }
                }
                Some(_) => return Err(self.not_canonical("a control character in a string")),
                None if valid == 0 => return Err(self.input.truncated()),
                None => {}
            }
        }
    }

    /// The character that an escape stands for and the escape's length, if it is the one spelling RFC 8785 has for it.
    fn escape(&mut self) -> Checked<(u8, usize)> {
        let ahead = self.input.ahead()?;
        let hex = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        let escaped = match ahead {
            [_, b'"', ..] => Some((b'"', 2)),
            [_, b'\\', ..] => Some((b'\\', 2)),
            [_, b'b', ..] => Some((8, 2)),
            [_, b't', ..] => Some((9, 2)),
            [_, b'n', ..] => Some((10, 2)),
            [_, b'f', ..] => Some((12, 2)),
            [_, b'r', ..] => Some((13, 2)),
            [_, b'u', b'0', b'0', high @ (b'0' | b'1'), low, ..] => {
                let code = hex(*low).map(|low| (high - b'0') * 16 + low);
                code.filter(|code| !matches!(code, 8 | 9 | 10 | 12 | 13))
                    .map(|code| (code, 6))
            }
            [_]
            | [_, b'u']
            | [_, b'u', b'0']
            | [_, b'u', b'0', b'0']
            | [_, b'u', b'0', b'0', b'0' | b'1'] => return Err(self.input.truncated()),
            _ => None,
        };
        escaped.ok_or_else(|| self.not_canonical("an escape in another spelling"))
    }

    fn number(&mut self) -> Checked<()> {
        let ahead = self.input.ahead()?;
        let length = ahead
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let number = ahead.get(..length).unwrap_or_default();
        if is_canonical_number(number) {
            self.input.pass(length);
            Ok(())
        } else if length == ahead.len() {
            Err(self.input.truncated())
        } else {
            Err(self.not_canonical("a number in another spelling"))
        }
    }

    pub(super) fn not_canonical(&self, what: &'static str) -> super::Stop {
        self.input.found(Reason::NotCanonical(what))
    }
}

/// How many bytes come before the first `"`, `\` or control character, and whether they are all ASCII.
///
/// Eight bytes at a time: in each word the lowest byte that is flagged is flagged rightly (carries only go up).
fn plain(bytes: &[u8]) -> (usize, bool) {
    let mut high = 0;
    let mut at = 0;
    let words = bytes.chunks_exact(8);
    let rest = words.remainder();
    for word in words {
        let word = word.try_into().map_or(0, u64::from_le_bytes);
        let zero = |word: u64| word.wrapping_sub(ONES) & !word;
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let special = (control
            | zero(word ^ (ONES * u64::from(b'"')))
            | zero(word ^ (ONES * u64::from(b'\\'))))
            & HIGHS;
        if special != 0 {
            let before = special.trailing_zeros() & !7;
            let passed = word & ((1 << before) - 1);
            return (at + before as usize / 8, (high | passed) & HIGHS == 0);
        }
        high |= word;
        at += 8;
    }
    for &byte in rest {
        if byte < 0x20 || byte == b'"' || byte == b'\\' {
            break;
        }
        high |= u64::from(byte);
        at += 1;
    }
    (at, high & HIGHS == 0)
}

/// How many bytes are valid UTF-8.
fn valid_utf8(bytes: &[u8]) -> usize {
    match std::str::from_utf8(bytes) {
        Ok(_) => bytes.len(),
        Err(error) => error.valid_up_to(),
    }
}

/// Whether a number is spelt as ECMAScript would print it.
fn is_canonical_number(number: &[u8]) -> bool {
    let digits = number.strip_prefix(b"-").unwrap_or(number);
    if (1..=15).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit) {
        // Integers this small are exact.
        return digits.first() != Some(&b'0') || number == b"0";
    }
    if number.len() > MAX_NUMBER {
        return false;
    }
    let parsed = std::str::from_utf8(number)
        .ok()
        .and_then(|text| text.parse::<f64>().ok())
        .filter(|value| value.is_finite());
    parsed.is_some_and(|value| ryu_js::Buffer::new().format_finite(value).as_bytes() == number)
}

#[cfg(test)]
#[path = "canonical_tests.rs"]
mod tests;
