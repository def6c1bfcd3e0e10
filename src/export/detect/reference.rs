//! References to secrets kept in a secret manager: they say where the secret is.

use super::bytes::{at_word_start, run_end, trim_punctuation};
use super::{Hit, Kind};

/// What a reference begins with, or holds.
pub(super) const WORDS: &[&str] = &[
    "arn:aws",
    "vault:",
    "projects/",
    "op://",
    "vault://",
    "keyvault://",
    "akv://",
    "gcp-secret://",
    "gsm://",
    "gcpsm://",
    "awssm://",
    "aws-sm://",
    "secretsmanager://",
    "secret://",
    "azurekeyvault://",
    "ssm:/",
    "awssecretsmanager://",
    "ssm://",
    "awsssm://",
    "doppler://",
    "infisical://",
    "bws://",
    "akeyless://",
    "berglas://",
    "sm://",
    "resolve:secretsmanager:",
    "resolve:ssm-secure:",
    "@microsoft.keyvault(",
    ".vault.azure.net/",
    "hooks.slack.com/services/",
    "api/webhooks/",
];

/// How far a reference may reach back from its trigger, and how long a bracketed one may be.
const LONGEST: usize = 256;

/// The reference around a trigger, if it is one.
pub(super) fn reference(text: &[u8], start: usize, end: usize) -> Option<Hit> {
    let word = text.get(start..end)?.to_ascii_lowercase();
    let range = match word.as_slice() {
        b"arn:aws" => amazon_name(text, start)?,
        b"projects/" => google_name(text, start, end)?,
        b"vault:" => {
            let window = text.get(..end + LONGEST).unwrap_or(text);
            let path = window.get(end..path_end(window, end))?;
            let is_path =
                path.contains(&b'/') && path.first().is_some_and(u8::is_ascii_alphanumeric);
            (is_path && at_word_start(text, start)).then(|| start..path_end(text, end))?
        }
        b"@microsoft.keyvault(" => {
            let close = run_end(text.get(..end + LONGEST).unwrap_or(text), end, |byte| {
                byte != b')'
            });
            (text.get(close) == Some(&b')')).then_some(start..close + 1)?
        }
        b"resolve:secretsmanager:" | b"resolve:ssm-secure:" => start..path_end(text, end),
        b".vault.azure.net/" | b"hooks.slack.com/services/" | b"api/webhooks/" => {
            around(text, start, end)?
        }
        _ => {
            let end_of_path = path_end(text, end);
            (at_word_start(text, start) && end_of_path > end).then_some(start..end_of_path)?
        }
    };
    Some(Hit {
        range,
        kind: Kind::SecretReference,
    })
}

/// The end of the path that begins at `start`.
fn path_end(text: &[u8], start: usize) -> usize {
    let is_path = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:#@+=~%?&$".contains(&byte);
    trim_punctuation(text, start, run_end(text, start, is_path))
}

/// `arn:aws:secretsmanager:…` and the parameters of `arn:aws:ssm:…`.
fn amazon_name(text: &[u8], start: usize) -> Option<std::ops::Range<usize>> {
    let window = text.get(start..start + LONGEST.min(text.len() - start))?;
    let mut parts = window.split(|&byte| byte == b':');
    let service = parts.nth(2)?;
    let holds_secrets = service == b"secretsmanager"
        || (service == b"ssm" && parts.nth(2)?.starts_with(b"parameter"));
    (holds_secrets && at_word_start(text, start)).then(|| start..path_end(text, start))
}

/// `projects/<project>/secrets/<name>`.
fn google_name(text: &[u8], start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let is_name =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':');
    let project = run_end(text.get(..end + LONGEST).unwrap_or(text), end, is_name);
    let name = project + "/secrets/".len();
    let is_secret = project > end
        && text.get(project..name)? == b"/secrets/"
        && text.get(name).copied().is_some_and(is_name);
    is_secret.then(|| start..path_end(text, name))
}

/// The whole URL around its telling part.
fn around(text: &[u8], start: usize, end: usize) -> Option<std::ops::Range<usize>> {
    let is_url = |byte: &&u8| byte.is_ascii_alphanumeric() || b"-._:/".contains(byte);
    let back = text
        .get(..start)?
        .iter()
        .rev()
        .take(LONGEST)
        .take_while(is_url)
        .count();
    let end_of_path = path_end(text, end);
    (end_of_path > end + 2).then_some(start - back..end_of_path)
}
