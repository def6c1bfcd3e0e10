//! Keys and tokens that are known by how they begin.

use super::bytes::Alphabet::{self, Alphanumeric, Base64, Base64Url, Dotted, Hex, UpperDigits};
use super::bytes::{at_word_start, is_word, run_end};
use super::{Hit, Kind};

/// A family of keys: a beginning, and a run of bytes after it.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) prefix: &'static str,
    alphabet: Alphabet,
    min: usize,
    /// The exact length when the family has one: a longer run is something else.
    exact: bool,
}

const fn at_least(prefix: &'static str, alphabet: Alphabet, min: usize) -> Token {
    Token {
        prefix,
        alphabet,
        min,
        exact: false,
    }
}

const fn exactly(prefix: &'static str, alphabet: Alphabet, min: usize) -> Token {
    Token {
        prefix,
        alphabet,
        min,
        exact: true,
    }
}

/// From the vendors' own documentation of what their keys look like.
pub(super) const TOKENS: &[Token] = &[
    // Amazon Web Services
    exactly("AKIA", UpperDigits, 16),
    exactly("ASIA", UpperDigits, 16),
    exactly("ABIA", UpperDigits, 16),
    exactly("ACCA", UpperDigits, 16),
    at_least("ABSK", Base64, 100),
    // Azure
    at_least("AccountKey=", Base64, 40),
    at_least("SharedAccessKey=", Base64, 40),
    at_least("sig=", Base64, 40),
    // Google
    exactly("AIza", Base64Url, 35),
    at_least("ya29.", Dotted, 20),
    at_least("GOCSPX-", Base64Url, 20),
    // GitHub, GitLab
    at_least("ghp_", Alphanumeric, 36),
    at_least("gho_", Alphanumeric, 36),
    at_least("ghu_", Alphanumeric, 36),
    at_least("ghs_", Alphanumeric, 36),
    at_least("ghr_", Alphanumeric, 36),
    at_least("github_pat_", Base64Url, 22),
    at_least("glpat-", Dotted, 20),
    at_least("gldt-", Base64Url, 20),
    at_least("glrt-", Dotted, 20),
    at_least("glptt-", Base64Url, 20),
    at_least("glcbt-", Base64Url, 20),
    // Slack, Discord, Telegram
    at_least("xoxb-", Base64Url, 11),
    at_least("xoxp-", Base64Url, 11),
    at_least("xoxa-", Base64Url, 11),
    at_least("xoxr-", Base64Url, 11),
    at_least("xoxs-", Base64Url, 11),
    at_least("xoxe-", Base64Url, 11),
    at_least("xoxe.", Dotted, 11),
    at_least("xapp-", Base64Url, 20),
    // Payments
    at_least("sk_live_", Alphanumeric, 16),
    at_least("sk_test_", Alphanumeric, 16),
    at_least("rk_live_", Alphanumeric, 16),
    at_least("rk_test_", Alphanumeric, 16),
    at_least("whsec_", Base64, 16),
    at_least("sq0atp-", Base64Url, 22),
    at_least("sq0csp-", Base64Url, 40),
    at_least("access_token$production$", Alphanumeric, 32),
    // Shops
    exactly("shpat_", Hex, 32),
    exactly("shpca_", Hex, 32),
    exactly("shppa_", Hex, 32),
    exactly("shpss_", Hex, 32),
    // Language models
    at_least("sk-ant-", Base64Url, 20),
    at_least("sk-proj-", Base64Url, 20),
    at_least("sk-svcacct-", Base64Url, 20),
    at_least("sk-or-v1-", Hex, 32),
    at_least("sk-", Alphanumeric, 32),
    at_least("hf_", Alphanumeric, 30),
    at_least("r8_", Alphanumeric, 30),
    at_least("gsk_", Alphanumeric, 40),
    at_least("xai-", Alphanumeric, 40),
    at_least("pplx-", Alphanumeric, 40),
    // Mail and messages
    at_least("SG.", Dotted, 40),
    exactly("key-", Hex, 32),
    exactly("SK", Hex, 32),
    at_least("xkeysib-", Base64Url, 60),
    // Package registries
    exactly("npm_", Alphanumeric, 36),
    at_least("pypi-", Base64Url, 50),
    at_least("rubygems_", Hex, 48),
    at_least("dckr_pat_", Base64Url, 20),
    at_least("cio", Alphanumeric, 32),
    // Hosting, monitoring, tools
    exactly("dop_v1_", Hex, 64),
    exactly("doo_v1_", Hex, 64),
    exactly("dor_v1_", Hex, 64),
    at_least("hvs.", Base64Url, 24),
    at_least("hvb.", Base64Url, 24),
    at_least("hvr.", Base64Url, 24),
    at_least("dp.pt.", Alphanumeric, 40),
    at_least("dp.st.", Dotted, 40),
    at_least("glsa_", Base64Url, 32),
    at_least("glc_", Base64, 32),
    at_least("sntrys_", Base64, 40),
    at_least("sntryu_", Hex, 40),
    at_least("NRAK-", Alphanumeric, 27),
    at_least("PMAK-", Base64Url, 40),
    at_least("lin_api_", Alphanumeric, 32),
    at_least("ntn_", Alphanumeric, 40),
    at_least("figd_", Base64Url, 40),
    at_least("ATATT3", Base64Url, 50),
    at_least("CFPAT-", Base64Url, 40),
    at_least("pat-na1-", Base64Url, 36),
    at_least("pat-eu1-", Base64Url, 36),
    at_least("EZAK", Alphanumeric, 54),
    at_least("tskey-", Base64Url, 16),
    at_least("AGE-SECRET-KEY-1", UpperDigits, 58),
];

impl Token {
    /// The hit whose prefix begins at `start`, if it is one.
    pub(super) fn check(&self, text: &[u8], start: usize) -> Option<Hit> {
        let body = start + self.prefix.len();
        if text.get(start..body)? != self.prefix.as_bytes() || !at_word_start(text, start) {
            return None;
        }
        // A run that is longer than an exact family allows need not be followed to its end.
        let window = if self.exact {
            text.get(..body + self.min + 1).unwrap_or(text)
        } else {
            text
        };
        let end = run_end(window, body, |byte| self.alphabet.has(byte));
        let length = end - body;
        let fits = if self.exact {
            length == self.min && !text.get(end).copied().is_some_and(is_word)
        } else {
            length >= self.min
        };
        let end = if self.alphabet == Dotted {
            super::bytes::trim_punctuation(text, body, end)
        } else {
            end
        };
        fits.then_some(Hit {
            range: start..end,
            kind: Kind::ApiKey,
        })
    }

    /// The shortest text that this finds.
    #[cfg(test)]
    pub(super) const fn shortest(&self) -> usize {
        self.prefix.len() + self.min
    }
}

/// A JSON Web Token: three parts of base64url (five when encrypted), the first of which is `{"…` encoded.
pub(super) fn json_web_token(text: &[u8], start: usize) -> Option<Hit> {
    const SHORTEST_PART: usize = 10;
    if super::bytes::before(text, start).is_some_and(|byte| Base64Url.has(byte)) {
        return None;
    }
    let part = |from: usize| run_end(text, from, |byte| Base64Url.has(byte));
    let header = part(start);
    if header - start < SHORTEST_PART || text.get(header) != Some(&b'.') {
        return None;
    }
    let payload = part(header + 1);
    // The second part of an encrypted token is empty when the key is shared.
    let length = payload - header - 1;
    if (length != 0 && length < SHORTEST_PART) || text.get(payload) != Some(&b'.') {
        return None;
    }
    let mut end = part(payload + 1);
    for _ in 0..2 {
        if text.get(end) == Some(&b'.') && part(end + 1) > end + 1 {
            end = part(end + 1);
        }
    }
    Some(Hit {
        range: start..end,
        kind: Kind::BearerToken,
    })
}

/// From `-----BEGIN … PRIVATE KEY-----` to the matching end, or to the end of the text when there is none.
pub(super) fn private_key(text: &[u8], start: usize, after: usize) -> Option<Hit> {
    const LONGEST_LABEL: usize = 64;
    let rest = text.get(after..)?;
    let label = rest.get(..LONGEST_LABEL).unwrap_or(rest);
    let label_end = label.windows(5).position(|window| window == b"-----")?;
    let label = label.get(..label_end)?;
    if !label.windows(11).any(|window| window == b"PRIVATE KEY") {
        return None;
    }
    let body = after + label_end + 5;
    let end = find_from(text, body, b"-----END").and_then(|end| find_from(text, end + 8, b"-----"));
    Some(Hit {
        range: start..end.map_or(text.len(), |at| at + 5),
        kind: Kind::PrivateKey,
    })
}

/// A Telegram bot's token, `<8 to 10 digits>:AA<33 more>`; the trigger is `:AA`.
pub(super) fn telegram_token(text: &[u8], colon: usize) -> Option<Hit> {
    let digits = text
        .get(..colon)?
        .iter()
        .rev()
        .take(11)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let start = colon - digits;
    let body = text.get(colon + 3..colon + 36)?;
    let whole = text.get(colon..colon + 3) == Some(b":AA")
        && (8..=10).contains(&digits)
        && at_word_start(text, start)
        && body.iter().all(|&byte| Base64Url.has(byte))
        && !text
            .get(colon + 36)
            .copied()
            .is_some_and(|byte| Base64Url.has(byte));
    whole.then_some(Hit {
        range: start..colon + 36,
        kind: Kind::ApiKey,
    })
}

fn find_from(text: &[u8], from: usize, needle: &[u8]) -> Option<usize> {
    text.get(from..)?
        .windows(needle.len())
        .position(|window| window == needle)
        .map(|at| from + at)
}
