#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

const FOUND: &str = include_str!("vectors/found.txt");
const SURVIVE: &str = include_str!("vectors/survive.txt");

fn redacted(text: &str, email: bool) -> (String, Counts) {
    let (mut counts, mut out) = (Counts::default(), String::new());
    let changed = Redactor::default().redact(
        text,
        Profile::of(text.as_bytes()),
        email,
        &mut counts,
        &mut out,
    );
    (if changed { out } else { text.to_owned() }, counts)
}

fn lines(vectors: &'static str) -> impl Iterator<Item = String> {
    vectors
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            line.replace("\\\\", "\u{1}")
                .replace("\\n", "\n")
                .replace("\\\"", "\"")
                .replace('\u{1}', "\\")
                .replace('·', "")
        })
}

#[test]
fn what_must_be_found_is_found_whole() {
    let mut wrong = String::new();
    for line in lines(FOUND) {
        let (kind, marked) = line.split_once('\t').unwrap();
        let kind = Kind::ALL
            .into_iter()
            .find(|each| each.name() == kind)
            .unwrap_or_else(|| panic!("{kind}"));
        let text = marked.replace(['⟦', '⟧'], "");
        let mut expected = String::new();
        let mut finds = 0;
        for (at, part) in marked.split('⟦').enumerate() {
            match part.split_once('⟧') {
                Some((_, after)) if at > 0 => {
                    finds += 1;
                    expected.push_str(kind.replacement());
                    expected.push_str(after);
                }
                _ => expected.push_str(part),
            }
        }
        let (out, counts) = redacted(&text, kind == Kind::Email);
        if out != expected || counts.found().collect::<Vec<_>>() != [(kind, finds)] {
            let _ = writeln!(wrong, "{text:?}\n  gave {out:?}\n  not  {expected:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn what_must_survive_survives() {
    let mut wrong = String::new();
    for text in lines(SURVIVE) {
        let (out, _) = redacted(&text, true);
        if out != text {
            let _ = writeln!(wrong, "{text:?} became {out:?}");
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn finds_in_escaped_text_are_replaced_where_they_stand() {
    let key = "AKIAIOSFODNN7EXAMPLE";
    let escaped: String = key
        .chars()
        .map(|c| format!("\\u{:04x}", u32::from(c)))
        .collect();
    for text in [
        escaped.clone(),
        escaped.replace('\\', "\\\\"),
        format!("%41%4b{}", &key[2..]),
        format!("\\n{key}\\n"),
    ] {
        let (out, _) = redacted(&format!("é {text} é"), false);
        assert!(
            out.contains("[redacted:api_key]") && !out.contains("EXAMPLE"),
            "{text}: {out}"
        );
        assert!(out.starts_with("é ") && out.ends_with(" é"), "{out}");
    }
    let (out, _) = redacted(r#"{"a":"{\"b\":\"\\u002b14155552671\"}"}"#, false);
    assert_eq!(out, r#"{"a":"{\"b\":\"[redacted:phone]\"}"}"#);
}

#[test]
fn keys_of_objects_say_what_their_values_are() {
    for key in [
        "password",
        "DB-Password",
        "clientSecret",
        "api_key",
        "x-api-key",
        "accessToken",
        "passwords",
        "credentials",
    ] {
        assert!(
            matches!(key_meaning(key), Some(KeyMeaning::Credential { .. })),
            "{key}"
        );
    }
    for key in [
        "phone",
        "mobilePhone",
        "phone_number",
        "phones",
        "fax",
        "contact-tel",
    ] {
        assert_eq!(key_meaning(key), Some(KeyMeaning::Phone), "{key}");
    }
    for key in [
        "",
        "name",
        "token_count",
        "password_changed_at",
        "passenger",
        "telemetry",
        "hotel",
        "cellar",
    ] {
        assert_eq!(key_meaning(key), None, "{key}");
    }
}

/// Texts made to lead detectors astray; each must take time in proportion to its length.
#[test]
fn hostile_texts_take_linear_time() {
    for seed in [
        "eyJ",
        "eyJ-",
        "eyJaaaaaaaaaa.",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY",
        "password=",
        "secret:'a ",
        "secret=\"a secret='",
        "token:",
        "sk-",
        "sk-ant-",
        "://a:",
        "://",
        "bearer ",
        "bearer a-",
        "basic aaaa",
        "arn:aws:",
        "projects/",
        "projects/a/secrets",
        ".vault.azure.net/",
        "1 ",
        "1-",
        "+1",
        "(1) ",
        "0 0",
        "123-",
        "12.34 ",
        "a@",
        "@",
        "a.@b",
        "@microsoft.keyvault(",
        "\\u0041",
        "\\\\",
        "%41",
        "SG.",
        "vault:",
        "resolve:secretsmanager:",
        "phone 1 ",
        ":AA",
        "1:AA",
    ] {
        let time = |length: usize| {
            let text = seed.repeat(length / seed.len());
            let start = Instant::now();
            redacted(&text, true);
            start.elapsed()
        };
        time(1 << 10);
        // A machine that is busy may stall once; what is quadratic is so each time.
        let linear = (0..5).any(|_| {
            let (short, long) = (time(1 << 14), time(1 << 18));
            long < short * 64 + Duration::from_millis(500)
        });
        assert!(linear, "{seed:?}: 256 KiB take too long beside 16 KiB");
    }
}

proptest! {
    #[test]
    fn any_text_is_taken(text in any::<String>()) {
        redacted(&text, true);
    }

    #[test]
    fn any_suspicious_text_is_taken(text in "(password|[:=\"'\\\\ ]|eyJ|\\+|[0-9]{1,5}|[-. ()/]|@|é|\\\\u00|%4|://|bearer |\u{a0}|[a-z]{1,6}\\.){0,24}") {
        let (out, counts) = redacted(&text, true);
        prop_assert_eq!(out != text, counts.found().next().is_some());
    }

    #[test]
    fn keys_are_found_wherever_they_stand(before in "[ -/:-@]{0,20}( |\n|=|\")", after in "( |\n|\"|,)[ -~]{0,20}") {
        let (out, _) = redacted(&format!("{before}AKIAIOSFODNN7EXAMPLE{after}"), false);
        prop_assert!(!out.contains("IOSFODNN7"), "{}", out);
    }

    #[test]
    fn phones_in_e164_are_found(digits in "[1-9][0-9]{9,13}", before in "(|tel |\\(|: )", after in "(| |\\.|,|\\))") {
        let (out, _) = redacted(&format!("{before}+{digits}{after}"), false);
        prop_assert_eq!(out, format!("{before}[redacted:phone]{after}"));
    }
}
