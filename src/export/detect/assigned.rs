//! Credentials known by what stands before them: `password: …`, `Bearer …`, `https://user:…@host`.

use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::bytes::{Alphabet, at_word_start, before, run_end, trim_punctuation};
use super::words::{credential, is_code, is_password, is_phone, is_placeholder};
use super::{Hit, Kind};

/// Words that a credential's name may end with; what else must be true of it, [`assigned`] checks.
pub(super) const WORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "secret",
    "token",
    "api_key",
    "apikey",
    "api-key",
    "api key",
    "access_key",
    "access-key",
    "accesskey",
    "private_key",
    "private-key",
    "privatekey",
    "encryption_key",
    "signing_key",
    "credential",
    "credentials",
    "authorization",
    "secret_key",
    "secretkey",
    "connection_string",
    "connectionstring",
    "passwort",
    "kennwort",
    "contraseña",
    "pin",
    "otp",
    "cvv",
    "cvc",
];

/// What stands before the credential in an `Authorization` header. What follows `Basic` has a detector of its own.
const SCHEMES: &[&str] = &["bearer", "token", "apikey", "api-key", "key", "negotiate"];

/// The longest name that is looked at, and the longest value that is weighed before it counts as a secret for its length alone.
const LONGEST_NAME: usize = 64;
const LONGEST_WEIGHED: usize = 256;

/// `name = value`, `name: value`, `"name": "value"`, `name=value`, `<name>value<`, `--name value`, whatever the quoting.
pub(super) fn assigned(text: &[u8], start: usize, end: usize) -> Option<Hit> {
    let name_end = name_end(text, end)?;
    let name_start = start
        - text
            .get(..start)?
            .iter()
            .rev()
            .take(LONGEST_NAME)
            .take_while(|&&byte| Alphabet::Dotted.has(byte))
            .count();
    let name = normalised(text.get(name_start..name_end)?);
    let kind = credential(&name)?;
    let place = place(text, name_start, name_end)?;
    let hit = |range| Some(Hit { range, kind });
    if name.ends_with("authorization")
        && let Some(range) = after_scheme(text, place)
    {
        return hit(range);
    }
    let value_end = value_end(text, place.start, place.quote);
    let value = text.get(place.start..value_end)?;
    let convincing = value.len() > LONGEST_WEIGHED || is_secret(value, &name, place.sign);
    convincing.then(|| hit(place.start..value_end))?
}

/// Where the name ends: right after the trigger, or after digits (`password1`).
fn name_end(text: &[u8], end: usize) -> Option<usize> {
    let end = run_end(text.get(..end + 4).unwrap_or(text), end, |byte| {
        byte.is_ascii_digit()
    });
    let goes_on = text
        .get(end)
        .copied()
        .is_some_and(|byte| Alphabet::Base64Url.has(byte));
    (!goes_on).then_some(end)
}

/// What makes a value of what stands after a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// `name=value`, `"name": "value"`, `<name>value<`: a program wrote it, or reads it.
    Tight,
    /// `name: value`, `name = value`: a person may have written it as well.
    Loose,
    /// `--name value`: words may follow.
    Word,
}

/// Where a value stands.
#[derive(Debug, Clone, Copy)]
struct Place {
    start: usize,
    quote: Option<u8>,
    sign: Sign,
}

/// Where the value of the name at `name_start..name_end` begins.
fn place(text: &[u8], name_start: usize, name_end: usize) -> Option<Place> {
    let rest = text.get(name_end..)?;
    let place = |skipped: usize, quote, sign| {
        let start = name_end + skipped;
        Some(Place { start, quote, sign })
    };
    if rest.first() == Some(&b'>') && before(text, name_start) == Some(b'<') {
        return place(1, Some(b'<'), Sign::Tight);
    }
    if rest.first() == Some(&b' ') && text.get(name_start..)?.starts_with(b"--") {
        return place(1, None, Sign::Word);
    }
    let (start, quote) = value_start(text, name_end)?;
    let tight = quote.is_some() || text.get(name_end..start) == Some(b"=");
    let sign = if tight { Sign::Tight } else { Sign::Loose };
    Some(Place { start, quote, sign })
}

/// The credential in `Authorization: <scheme> <credential>`.
fn after_scheme(text: &[u8], place: Place) -> Option<Range<usize>> {
    let rest = text.get(place.start..)?;
    let scheme = SCHEMES.iter().find(|scheme| {
        rest.get(..scheme.len())
            .is_some_and(|word| word.eq_ignore_ascii_case(scheme.as_bytes()))
            && rest.get(scheme.len()) == Some(&b' ')
    })?;
    let start = place.start + scheme.len() + 1;
    let end = trim_punctuation(text, start, value_end(text, start, place.quote));
    let value = String::from_utf8_lossy(text.get(start..end)?);
    (value.len() >= 3 && !is_placeholder(&value)).then_some(start..end)
}

/// Past closing quotes, spaces, one of `:`, `=`, `=>`, `:=`, spaces and an opening quote.
fn value_start(text: &[u8], name_end: usize) -> Option<(usize, Option<u8>)> {
    let window = text.get(..name_end + 24).unwrap_or(text);
    let is_quoting = |byte: u8| {
        matches!(
            byte,
            b'"' | b'\'' | b'`' | b'\\' | b' ' | b'\t' | b']' | b')'
        )
    };
    let sign = run_end(window, name_end, is_quoting);
    let after = run_end(window, sign, |byte| matches!(byte, b':' | b'=' | b'>'));
    if after == sign || after - sign > 2 || text.get(sign) == Some(&b'>') {
        return None;
    }
    let spaces = run_end(window, after, |byte| matches!(byte, b' ' | b'\t'));
    let quoting = run_end(window, spaces, |byte| {
        matches!(byte, b'"' | b'\'' | b'`' | b'\\')
    });
    let quote = before(text, quoting).filter(|byte| quoting > spaces && *byte != b'\\');
    Some((quoting, quote))
}

/// A quoted value goes on to its quote, any other to what can't be part of one; none goes past the line.
fn value_end(text: &[u8], start: usize, quote: Option<u8>) -> usize {
    let end = match quote {
        Some(quote) => run_end(text, start, |byte| {
            byte != quote && !matches!(byte, b'\n' | b'\r')
        }),
        None => {
            let is_value = |byte: u8| {
                byte > b' '
                    && !matches!(
                        byte,
                        b',' | b';' | b'"' | b'\'' | b'`' | b'<' | b'>' | b')' | b']' | b'}' | b'&'
                    )
            };
            run_end(text, start, is_value)
        }
    };
    // The escape of a quote inside a quoted text belongs to the quote.
    let backslashes = text
        .get(start..end)
        .unwrap_or_default()
        .iter()
        .rev()
        .take_while(|&&byte| byte == b'\\')
        .count();
    end - if quote.is_some() { backslashes } else { 0 }
}

fn is_secret(value: &[u8], name: &str, sign: Sign) -> bool {
    let text = String::from_utf8_lossy(value);
    let template = text.starts_with(['$', '{', '<', '[', '(', '*'])
        && !text.chars().any(|c| c.is_ascii_digit());
    if template || is_placeholder(&text) {
        return false;
    }
    if is_code(name) {
        return is_digits(value);
    }
    let one_word = !value.contains(&b' ');
    match sign {
        Sign::Tight | Sign::Loose if is_password(name) => value.len() >= 4,
        Sign::Tight => one_word && value.len() >= 4,
        Sign::Loose | Sign::Word => one_word && value.len() >= 6 && is_mixed(value),
    }
}

/// As many digits as a code has that people type in.
fn is_digits(value: &[u8]) -> bool {
    (3..=8).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// Has what words don't have: digits, or capitals after small letters.
fn is_mixed(value: &[u8]) -> bool {
    value.iter().any(u8::is_ascii_digit)
        || value
            .windows(2)
            .any(|pair| pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase())
}

/// `Bearer <token>`, as in an `Authorization` header.
pub(super) fn bearer(text: &[u8], start: usize, end: usize) -> Option<Hit> {
    if !at_word_start(text, start) {
        return None;
    }
    let token = run_end(text.get(..end + 4).unwrap_or(text), end, |byte| {
        byte == b' '
    });
    let token_end = trim_punctuation(
        text,
        token,
        run_end(text, token, |byte| {
            Alphabet::Base64.has(byte) || Alphabet::Dotted.has(byte) || byte == b'~'
        }),
    );
    let value = text.get(token..token_end)?;
    (value.len() >= 32 || (value.len() >= 16 && is_mixed(value))).then_some(Hit {
        range: token..token_end,
        kind: Kind::BearerToken,
    })
}

/// `Basic <base64 of user:password>`.
pub(super) fn basic(text: &[u8], start: usize, end: usize) -> Option<Hit> {
    const LONGEST: usize = 1024;
    if !at_word_start(text, start) {
        return None;
    }
    let value_end = run_end(text.get(..end + LONGEST).unwrap_or(text), end, |byte| {
        Alphabet::Base64.has(byte) && byte != b'%'
    });
    let encoded = text.get(end..value_end)?;
    let unpadded = encoded
        .strip_suffix(b"==")
        .or_else(|| encoded.strip_suffix(b"="))
        .unwrap_or(encoded);
    let decoded = STANDARD_NO_PAD.decode(unpadded).ok()?;
    let plausible = decoded.contains(&b':') && decoded.iter().all(|byte| !byte.is_ascii_control());
    (encoded.len() >= 8 && plausible).then_some(Hit {
        range: end..value_end,
        kind: Kind::Secret,
    })
}

/// The password in `scheme://user:password@host`.
pub(super) fn url_password(text: &[u8], _: usize, end: usize) -> Option<Hit> {
    const LONGEST: usize = 512;
    let window = text.get(..end + LONGEST).unwrap_or(text);
    let user_end = run_end(window, end, |byte| {
        byte > b' '
            && !matches!(
                byte,
                b'/' | b':' | b'@' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>'
            )
    });
    if window.get(user_end) != Some(&b':') {
        return None;
    }
    let start = user_end + 1;
    let password_end = run_end(window, start, |byte| {
        byte > b' ' && !matches!(byte, b'/' | b'@' | b'"' | b'\'' | b'<' | b'>')
    });
    let found = password_end > start
        && window.get(password_end) == Some(&b'@')
        && !is_template(window.get(start..password_end)?);
    found.then_some(Hit {
        range: start..password_end,
        kind: Kind::Secret,
    })
}

fn is_template(value: &[u8]) -> bool {
    value.starts_with(b"${") || value.starts_with(b"{{") || value.iter().all(|&byte| byte == b'*')
}

/// What the key of an object member says of its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMeaning {
    /// The value is a credential, whatever it looks like.
    Credential {
        /// How it is counted.
        kind: Kind,
        /// Whether even a number is one.
        password: bool,
    },
    /// The value is a short code, such as a PIN, if it is one of digits.
    Code,
    /// The value is a phone number if it has a phone number's digits.
    Phone,
}

impl KeyMeaning {
    /// What a text value is to be replaced as.
    #[must_use]
    pub fn of_text(self, value: &str) -> Option<Kind> {
        match self {
            // What only people choose may be any word.
            Self::Credential {
                kind,
                password: true,
            } => is_any(value).then_some(kind),
            Self::Credential { kind, .. } => (!is_placeholder(value)).then_some(kind),
            Self::Code => is_digits(value.as_bytes()).then_some(Kind::Secret),
            Self::Phone => is_bare_number(value).then_some(Kind::Phone),
        }
    }

    /// What holds in an object under a key that means `own`, within one in which `outer` holds: the nearest credential, but no token, which may be
    /// told from other texts, where there is something stricter.
    #[must_use]
    pub fn within(outer: Option<Self>, own: Option<Self>) -> Option<Self> {
        let is_token = |meaning: &Self| {
            matches!(
                meaning,
                Self::Credential {
                    kind: Kind::BearerToken,
                    ..
                }
            )
        };
        let own = own.filter(|meaning| matches!(meaning, Self::Credential { .. }));
        own.filter(|meaning| !is_token(meaning))
            .or(outer.filter(|meaning| !is_token(meaning)))
            .or(own)
            .or(outer)
    }

    /// What a text is to be replaced as that stands further down, in an object under this key.
    #[must_use]
    pub fn of_text_within(self, value: &str) -> Option<Kind> {
        match self {
            Self::Credential {
                kind: Kind::BearerToken,
                ..
            } => (value.len() >= 6 && is_mixed(value.as_bytes())).then_some(Kind::BearerToken),
            Self::Credential { .. } => self.of_text(value),
            Self::Code | Self::Phone => None,
        }
    }

    /// What a number is to be replaced as.
    #[must_use]
    pub fn of_number(self, literal: &str) -> Option<Kind> {
        match self {
            Self::Credential { kind, password } => password.then_some(kind),
            Self::Code => is_digits(literal.as_bytes()).then_some(Kind::Secret),
            Self::Phone => is_bare_number(literal).then_some(Kind::Phone),
        }
    }
}

/// What an object's key says of the values under it.
#[must_use]
pub fn key_meaning(key: &str) -> Option<KeyMeaning> {
    if key.len() > LONGEST_NAME {
        return None;
    }
    let name = normalised(key.as_bytes());
    let name = name
        .strip_suffix('s')
        .filter(|name| credential(name).is_some() || is_phone(name))
        .unwrap_or(&name);
    if is_code(name) {
        return Some(KeyMeaning::Code);
    }
    if let Some(kind) = credential(name) {
        return Some(KeyMeaning::Credential {
            kind,
            password: is_password(name),
        });
    }
    name.split('_')
        .chain([name])
        .any(is_phone)
        .then_some(KeyMeaning::Phone)
}

/// Whether there is anything to it at all, and it isn't masked already.
fn is_any(value: &str) -> bool {
    value.chars().any(char::is_alphanumeric) && !value.starts_with("[redacted:")
}

/// Nothing but a phone number's digits and what may stand between them.
fn is_bare_number(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    (7..=15).contains(&digits)
        && value
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" +-./()".contains(&byte))
}

/// Lower case, with one spelling of what stands between words.
fn normalised(name: &[u8]) -> String {
    String::from_utf8_lossy(name)
        .to_lowercase()
        .replace(['-', '.', ' '], "_")
}
