//! Small questions about bytes that the detectors share.

/// The bytes that a token is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alphabet {
    /// `A-Z0-9`
    UpperDigits,
    /// `0-9a-fA-F`
    Hex,
    /// `A-Za-z0-9`
    Alphanumeric,
    /// `A-Za-z0-9_-`: base64 for URLs.
    Base64Url,
    /// `A-Za-z0-9_.-`
    Dotted,
    /// `A-Za-z0-9+/=%`: base64, also percent-encoded.
    Base64,
}

impl Alphabet {
    pub(super) const fn has(self, byte: u8) -> bool {
        match self {
            Self::UpperDigits => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit(),
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::Base64Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'),
            Self::Base64 => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=' | b'%')
            }
        }
    }
}

/// The end of the run from `start` whose bytes all satisfy `belongs`.
pub(super) fn run_end(text: &[u8], start: usize, belongs: impl Fn(u8) -> bool) -> usize {
    let run = text
        .get(start..)
        .unwrap_or_default()
        .iter()
        .position(|&byte| !belongs(byte));
    run.map_or(text.len(), |length| start + length)
}

pub(super) fn before(text: &[u8], at: usize) -> Option<u8> {
    at.checked_sub(1)
        .and_then(|previous| text.get(previous))
        .copied()
}

/// Whether a byte is part of a word or identifier.
pub(super) const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a text of which `text` is a part could begin or go on at `at`: no word byte stands before it.
pub(super) fn at_word_start(text: &[u8], at: usize) -> bool {
    !before(text, at).is_some_and(is_word)
}

/// The length that a run of `.`, `,` and the like at the end of a text has: they end the sentence, not the thing.
pub(super) fn trim_punctuation(text: &[u8], start: usize, mut end: usize) -> usize {
    while end > start
        && matches!(
            before(text, end),
            Some(b'.' | b',' | b';' | b':' | b'!' | b'?')
        )
    {
        end -= 1;
    }
    end
}
