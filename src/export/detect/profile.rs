//! One cheap look at every byte, which tells what a text can't hold.

use crate::export::canonical::string::needs_escape;

/// Part of a run that a key or token may be made of.
const RUN: u8 = 1 << 0;
/// `:`, `=` or `<`: an assignment, a URL, a reference or a tag.
const ASSIGN: u8 = 1 << 1;
/// `\` or `%`: something may be encoded.
const ESCAPE: u8 = 1 << 2;
const AT: u8 = 1 << 3;
/// Needs an escape in JSON.
const JSON: u8 = 1 << 4;
const NON_ASCII: u8 = 1 << 5;
const DIGIT: u8 = 1 << 6;
/// Begins a character that may read as another, or as nothing: full-width forms, Arabic digits, zero-width spaces.
const DISGUISE: u8 = 1 << 7;

const CLASSES: [u8; 256] = {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        let mut class = 0;
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'_' | b'-' | b'.' | b'/' | b'+' | b'=' | b'~' | b':' | b'%'
            )
        {
            class |= RUN;
        }
        if byte.is_ascii_digit() {
            class |= DIGIT;
        }
        class |= match byte {
            b':' | b'=' | b'<' => ASSIGN,
            b'\\' | b'%' => ESCAPE,
            b'@' => AT,
            0xd9 | 0xdb | 0xe2 | 0xef => NON_ASCII | DISGUISE,
            0x80.. => NON_ASCII,
            _ => 0,
        };
        if needs_escape(byte) {
            class |= JSON;
        }
        table[at] = class;
        at += 1;
    }
    table
};

/// Nothing that the triggers lead to is found in a text without `:`, `=`, `<`, an escape or the lines of a PEM block whose runs are all
/// shorter. A test holds the table of tokens to it.
pub(super) const MIN_RUN: u32 = 16;

/// Phone numbers have at least so many digits.
pub(super) const MIN_PHONE_DIGITS: u32 = 7;

/// What a text is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Profile {
    seen: u8,
    digits: u32,
    /// `--`, as around the label of a PEM block and before the flag of a command.
    double_dash: bool,
    longest_run: u32,
}

impl Profile {
    /// Looks at every byte of `text`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        let (mut seen, mut digits, mut run, mut longest_run) = (0, 0_u32, 0_u32, 0_u32);
        let (mut previous, mut double_dash) = (0, false);
        for &byte in text {
            let class = CLASSES[usize::from(byte)];
            seen |= class;
            digits = digits.saturating_add(u32::from(class & DIGIT != 0));
            double_dash |= byte == b'-' && previous == b'-';
            previous = byte;
            run = if class & RUN == 0 {
                0
            } else {
                run.saturating_add(1)
            };
            longest_run = longest_run.max(run);
        }
        Self {
            seen,
            digits,
            double_dash,
            longest_run,
        }
    }

    /// Whether the text is ASCII only.
    #[must_use]
    pub const fn is_ascii(self) -> bool {
        self.seen & NON_ASCII == 0
    }

    /// Whether the text can stand in a JSON string as it is.
    #[must_use]
    pub const fn is_plain_json(self) -> bool {
        self.seen & JSON == 0
    }

    /// Whether anything could be found at all.
    #[must_use]
    pub const fn suspicious(self, email: bool) -> bool {
        self.may_hold_triggers()
            || self.may_hold_phones()
            || self.may_read_otherwise()
            || (email && self.has_at_sign())
    }

    pub(super) const fn may_hold_triggers(self) -> bool {
        self.longest_run >= MIN_RUN || self.double_dash || self.seen & (ASSIGN | ESCAPE) != 0
    }

    pub(super) const fn may_hold_phones(self) -> bool {
        self.digits >= MIN_PHONE_DIGITS
    }

    pub(super) const fn has_at_sign(self) -> bool {
        self.seen & AT != 0
    }

    /// Whether it may read otherwise once escapes and disguises are undone.
    pub(super) const fn may_read_otherwise(self) -> bool {
        self.seen & (ESCAPE | DISGUISE) != 0
    }
}
