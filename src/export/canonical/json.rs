//! Reads a JSON document strictly and writes it again in canonical form, in one pass, with every text given to a [`Rewrite`] on its way.
//!
//! Strictly: RFC 8259 and nothing more, no duplicate keys, no lone surrogates, no number that a double can't hold, no deeper than
//! [`MAX_DEPTH`]. Nothing is repaired: what can't be written as it was meant is an error.

use std::collections::BTreeSet;
use std::ops::Range;

use super::number::write_literal;
use super::reader::Reader;
use super::string::{compare_keys, write_string};

/// How many arrays and objects may stand inside each other.
pub const MAX_DEPTH: usize = 128;

/// Why a document can't be written in canonical form. Says what is wrong, never with what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It isn't JSON.
    #[error("it is not JSON")]
    Syntax,
    /// It is nested too deeply.
    #[error("it is nested more than 128 levels deep")]
    Depth,
    /// An object has a key twice.
    #[error("an object in it has a key twice")]
    DuplicateKey,
    /// A string has half a surrogate pair.
    #[error("a string in it has half a surrogate pair")]
    LoneSurrogate,
    /// A number is not the same after reading it as a double.
    #[error("a number in it does not survive as a double")]
    Number,
}

/// What happens to texts and numbers on their way from the document as it was to the canonical one.
pub trait Rewrite {
    /// Writes what stands for a string value instead of it to `out`, which is empty; `false` when it stays as it is.
    /// `key` is that of the nearest object member it belongs to.
    fn value(&mut self, key: Option<&str>, text: &str, out: &mut String) -> bool;

    /// The same for the key of an object member.
    fn key(&mut self, key: &str, out: &mut String) -> bool;

    /// An object begins, as the value of the member `key` or in an array that is its value.
    fn enter(&mut self, _key: Option<&str>) {}

    /// The innermost object ends. Not called once something is wrong with the document.
    fn leave(&mut self) {}

    /// Writes the text that stands for a number instead of it to `out`, which is empty; `false` when it stays as it is.
    fn number(&mut self, key: Option<&str>, literal: &str, out: &mut String) -> bool;
}

/// Canonicalises documents; keeps its memory from one to the next.
#[derive(Default)]
pub struct Canonicaliser {
    /// The members of the objects being read, innermost last.
    members: Vec<Member>,
    /// Their keys, one after the other.
    keys: String,
    /// A string value, decoded.
    text: String,
    /// What was put in its place.
    rewritten: String,
    /// An object's values while they are put in order.
    values: Vec<u8>,
}

struct Member {
    /// The key as it was, within `keys`.
    original: Range<usize>,
    /// The key as it is written.
    key: Range<usize>,
    /// The value, within the output.
    value: Range<usize>,
}

impl Canonicaliser {
    /// Appends the canonical form of `document` to `out`.
    ///
    /// # Errors
    /// When it isn't strict JSON; what was appended until then is to be thrown away.
    pub fn write(
        &mut self,
        document: &str,
        rewrite: &mut dyn Rewrite,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        self.members.clear();
        self.keys.clear();
        let mut reader = Reader::new(document);
        self.any(&mut reader, None, MAX_DEPTH, rewrite, out)?;
        reader.skip_whitespace();
        if reader.is_empty() {
            Ok(())
        } else {
            Err(JsonError::Syntax)
        }
    }

    fn any(
        &mut self,
        reader: &mut Reader<'_>,
        key: Option<Range<usize>>,
        depth: usize,
        rewrite: &mut dyn Rewrite,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        reader.skip_whitespace();
        match reader.peek() {
            Some(b'{') => {
                let depth = depth.checked_sub(1).ok_or(JsonError::Depth)?;
                rewrite.enter(key.and_then(|range| self.keys.get(range)));
                self.object(reader, depth, rewrite, out)?;
                rewrite.leave();
                Ok(())
            }
            Some(b'[') => self.array(
                reader,
                key,
                depth.checked_sub(1).ok_or(JsonError::Depth)?,
                rewrite,
                out,
            ),
            Some(b'"') => {
                self.text.clear();
                reader.string(&mut self.text)?;
                self.rewritten.clear();
                let key = key.and_then(|range| self.keys.get(range));
                let changed = rewrite.value(key, &self.text, &mut self.rewritten);
                write_string(out, if changed { &self.rewritten } else { &self.text });
                Ok(())
            }
            Some(b'-' | b'0'..=b'9') => {
                let literal = reader.number()?;
                self.rewritten.clear();
                let key = key.and_then(|range| self.keys.get(range));
                if rewrite.number(key, literal, &mut self.rewritten) {
                    write_string(out, &self.rewritten);
                    return Ok(());
                }
                if write_literal(out, literal) {
                    Ok(())
                } else {
                    Err(JsonError::Number)
                }
            }
            _ => {
                let word = ["true", "false", "null"]
                    .into_iter()
                    .find(|word| reader.take(word))
                    .ok_or(JsonError::Syntax)?;
                out.extend_from_slice(word.as_bytes());
                Ok(())
            }
        }
    }

    fn array(
        &mut self,
        reader: &mut Reader<'_>,
        key: Option<Range<usize>>,
        depth: usize,
        rewrite: &mut dyn Rewrite,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        reader.advance();
        out.push(b'[');
        if !reader.take_token("]") {
            loop {
                self.any(reader, key.clone(), depth, rewrite, out)?;
                if reader.take_token("]") {
                    break;
                }
                reader.expect_token(",")?;
                out.push(b',');
            }
        }
        out.push(b']');
        Ok(())
    }

    fn object(
        &mut self,
        reader: &mut Reader<'_>,
        depth: usize,
        rewrite: &mut dyn Rewrite,
        out: &mut Vec<u8>,
    ) -> Result<(), JsonError> {
        reader.advance();
        let (first_member, keys_start, start) = (self.members.len(), self.keys.len(), out.len());
        if !reader.take_token("}") {
            loop {
                reader.skip_whitespace();
                let (original, key) = self.key(reader, rewrite)?;
                reader.expect_token(":")?;
                let value_start = out.len();
                self.any(reader, Some(original.clone()), depth, rewrite, out)?;
                self.members.push(Member {
                    original,
                    key,
                    value: value_start..out.len(),
                });
                if reader.take_token("}") {
                    break;
                }
                reader.expect_token(",")?;
            }
        }
        self.order(first_member)?;
        self.values.clear();
        self.values
            .extend_from_slice(out.get(start..).unwrap_or_default());
        out.truncate(start);
        out.push(b'{');
        for (at, member) in self.members.drain(first_member..).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            write_string(out, self.keys.get(member.key).unwrap_or_default());
            out.push(b':');
            let value = member.value.start - start..member.value.end - start;
            out.extend_from_slice(self.values.get(value).unwrap_or_default());
        }
        out.push(b'}');
        self.keys.truncate(keys_start);
        Ok(())
    }

    /// Reads a key; where it stands as it was, and where as it is written.
    fn key(
        &mut self,
        reader: &mut Reader<'_>,
        rewrite: &mut dyn Rewrite,
    ) -> Result<(Range<usize>, Range<usize>), JsonError> {
        let start = self.keys.len();
        reader.string(&mut self.keys)?;
        let original = start..self.keys.len();
        self.rewritten.clear();
        if !rewrite.key(
            self.keys.get(original.clone()).unwrap_or_default(),
            &mut self.rewritten,
        ) {
            return Ok((original.clone(), original));
        }
        self.keys.push_str(&self.rewritten);
        Ok((original.clone(), original.end..self.keys.len()))
    }

    /// Puts the innermost object's members in the order they are written in.
    fn order(&mut self, first_member: usize) -> Result<(), JsonError> {
        if self.sort(first_member)? {
            self.tell_apart(first_member);
            self.sort(first_member)?;
        }
        Ok(())
    }

    /// Sorts by the written key, then by the original; says whether two different keys are now written alike.
    fn sort(&mut self, first_member: usize) -> Result<bool, JsonError> {
        let Self { members, keys, .. } = self;
        let text = |range: &Range<usize>| keys.get(range.clone()).unwrap_or_default();
        let object = members.get_mut(first_member..).unwrap_or_default();
        object.sort_unstable_by(|a, b| {
            compare_keys(text(&a.key), text(&b.key))
                .then_with(|| compare_keys(text(&a.original), text(&b.original)))
        });
        let mut collision = false;
        for pair in object.windows(2) {
            if let [a, b] = pair {
                if text(&a.original) == text(&b.original) {
                    return Err(JsonError::DuplicateKey);
                }
                collision |= text(&a.key) == text(&b.key);
            }
        }
        Ok(collision)
    }

    /// Redacting or neutralising made keys alike: the second in the order of the original keys gets `#2`, the third `#3`, and so on,
    /// past any key that is there already.
    fn tell_apart(&mut self, first_member: usize) {
        let Self { members, keys, .. } = self;
        let object = members.get_mut(first_member..).unwrap_or_default();
        let mut taken: BTreeSet<String> = object
            .iter()
            .filter_map(|member| keys.get(member.key.clone()).map(str::to_owned))
            .collect();
        let mut previous: Option<(String, u64)> = None;
        for member in object {
            let key = keys.get(member.key.clone()).unwrap_or_default().to_owned();
            let (base, mut number) = match previous.take() {
                Some((base, number)) if base == key => (base, number),
                _ => {
                    previous = Some((key, 1));
                    continue;
                }
            };
            let fresh = loop {
                number += 1;
                let fresh = format!("{base}#{number}");
                if taken.insert(fresh.clone()) {
                    break fresh;
                }
            };
            previous = Some((base, number));
            member.key = keys.len()..keys.len() + fresh.len();
            keys.push_str(&fresh);
        }
    }
}

#[cfg(test)]
#[path = "json_tests.rs"]
pub(super) mod tests;
