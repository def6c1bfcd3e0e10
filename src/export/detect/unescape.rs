//! Looks at a text as it reads once its escapes are undone: JSON's, as in JSON inside text, and percent-encoding. Characters in
//! disguise are undone with them: full-width forms and other scripts' digits are read as what they show, zero-width ones not at all.

use super::{Hit, Profile};

/// Text inside text inside text.
const LAYERS: usize = 3;

/// A text with the escapes undone, and where each of its bytes came from.
struct Decoded {
    text: String,
    /// For every byte where it began in the original, and at the end the original's length.
    origins: Vec<usize>,
}

/// Appends what is found in the decoded text, at the place it has in the original.
pub(super) fn find(text: &str, email: bool, hits: &mut Vec<Hit>) {
    if !text
        .char_indices()
        .any(|(at, character)| reads_otherwise(text, at, character))
    {
        return;
    }
    let mut layer = Decoded {
        text: text.to_owned(),
        origins: (0..=text.len()).collect(),
    };
    for _ in 0..LAYERS {
        let Some(next) = layer.decode() else { return };
        let known = hits.len();
        super::find(&next.text, Profile::of(next.text.as_bytes()), email, hits);
        for hit in hits.iter_mut().skip(known) {
            let origin = |at: usize| next.origins.get(at).copied().unwrap_or(text.len());
            hit.range = origin(hit.range.start)..origin(hit.range.end);
        }
        layer = next;
    }
}

impl Decoded {
    /// Undoes one layer; `None` when there is nothing to undo.
    fn decode(&self) -> Option<Self> {
        let mut decoded = Self {
            text: String::with_capacity(self.text.len()),
            origins: Vec::with_capacity(self.origins.len()),
        };
        let mut at = 0;
        let mut changed = false;
        while let Some(rest) = self.text.get(at..).filter(|rest| !rest.is_empty()) {
            let Some(first) = rest.chars().next() else {
                break;
            };
            let (character, length) = match escape(rest) {
                Some((character, length)) => {
                    changed = true;
                    (Some(character), length)
                }
                None => {
                    let shown = shown(first);
                    changed |= shown != Some(first);
                    (shown, first.len_utf8())
                }
            };
            let origin = self.origins.get(at).copied().unwrap_or_default();
            decoded.text.extend(character);
            decoded.origins.resize(decoded.text.len(), origin);
            at += length;
        }
        decoded
            .origins
            .push(self.origins.last().copied().unwrap_or_default());
        changed.then_some(decoded)
    }
}

/// Whether the character at `at` may be the beginning of an escape, or stands for another.
fn reads_otherwise(text: &str, at: usize, character: char) -> bool {
    matches!(character, '\\' | '%') && escape(text.get(at..).unwrap_or_default()).is_some()
        || shown(character) != Some(character)
}

/// What a reader sees: ASCII for its full-width forms and for the digits of Arabic and Persian, nothing for what has no width.
fn shown(character: char) -> Option<char> {
    let code = u32::from(character);
    let ascii = match code {
        0xff01..=0xff5e => code - 0xfee0,
        0x0660..=0x0669 => code - 0x0660 + u32::from(b'0'),
        0x06f0..=0x06f9 => code - 0x06f0 + u32::from(b'0'),
        0x200b..=0x200f | 0x2060 | 0xfeff => return None,
        _ => return Some(character),
    };
    char::from_u32(ascii)
}

/// The character that `rest` begins with in escaped form, and the length of the escape.
fn escape(rest: &str) -> Option<(char, usize)> {
    let bytes = rest.as_bytes();
    match bytes.first()? {
        b'%' => {
            let byte = hex(rest.get(1..3)?)?;
            // Percent-encoded characters beyond ASCII hold nothing that is looked for.
            u8::try_from(byte)
                .ok()
                .filter(u8::is_ascii)
                .map(|byte| (char::from(byte), 3))
        }
        b'\\' => Some(match bytes.get(1)? {
            b'n' => ('\n', 2),
            b't' => ('\t', 2),
            b'r' => ('\r', 2),
            b'b' | b'f' => (' ', 2),
            byte @ (b'"' | b'\\' | b'/' | b'\'') => (char::from(*byte), 2),
            b'u' => {
                // Half a surrogate pair stands for nothing that is looked for.
                let unit = hex(rest.get(2..6)?)?;
                (
                    char::from_u32(unit).unwrap_or(char::REPLACEMENT_CHARACTER),
                    6,
                )
            }
            b'x' => (char::from_u32(hex(rest.get(2..4)?)?)?, 4),
            _ => return None,
        }),
        _ => None,
    }
}

fn hex(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        u32::from_str_radix(digits, 16).ok()
    } else {
        None
    }
}
