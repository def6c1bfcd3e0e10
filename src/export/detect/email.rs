//! E-mail addresses, as people write them.

use super::bytes::{before, is_word, run_end, trim_punctuation};
use super::{Hit, Kind};

/// RFC 5321's limits for the parts of an address.
const LONGEST_LOCAL: usize = 64;
const LONGEST_DOMAIN: usize = 255;

/// Appends every address in `text`.
pub(super) fn find(text: &[u8], hits: &mut Vec<Hit>) {
    for (at, _) in text.iter().enumerate().filter(|(_, byte)| **byte == b'@') {
        if let Some(range) = address(text, at) {
            hits.push(Hit {
                range,
                kind: Kind::Email,
            });
        }
    }
}

fn address(text: &[u8], at: usize) -> Option<std::ops::Range<usize>> {
    let is_local = |byte: u8| is_word(byte) || byte >= 0x80 || b".+-%&'*=^~!#$".contains(&byte);
    let local = text
        .get(..at)?
        .iter()
        .rev()
        .take(LONGEST_LOCAL)
        .take_while(|&&byte| is_local(byte))
        .count();
    let mut start = at - local;
    // A quote or dot in front belongs to the sentence, and a character is not taken apart.
    while start < at
        && text
            .get(start)
            .is_some_and(|byte| b".'=!#$%&*/-~^+".contains(byte) || (0x80..0xC0).contains(byte))
    {
        start += 1;
    }
    let window = text.get(..at + 1 + LONGEST_DOMAIN).unwrap_or(text);
    let is_domain =
        |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80 || matches!(byte, b'-' | b'.');
    let mut end = trim_punctuation(text, at + 1, run_end(window, at + 1, is_domain));
    while end > at + 1
        && text
            .get(end)
            .is_some_and(|byte| (0x80..0xC0).contains(byte))
    {
        end -= 1;
    }
    let domain = text.get(at + 1..end)?;
    let dot = domain.iter().rposition(|&byte| byte == b'.')?;
    let top = domain.get(dot + 1..)?;
    let plausible = start < at
        && before(text, at) != Some(b'.')
        // An image's name in a path: `/logo@2x.png`.
        && before(text, start) != Some(b'/')
        && dot > 0
        && top.len() >= 2
        && top
            .iter()
            .all(|byte| byte.is_ascii_alphabetic() || *byte >= 0x80 || *byte == b'-');
    plausible.then_some(start..end)
}
