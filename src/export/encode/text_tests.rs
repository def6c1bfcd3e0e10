#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

const SCAN: Scan = Scan::Yes { email: false };

fn text(value: &str, scan: Scan) -> (String, u64, u64) {
    let mut writer = TextWriter::default();
    let mut out = Vec::new();
    writer.text(&mut out, value.as_bytes(), scan).unwrap();
    let (counts, neutralised) = writer.counts();
    (
        String::from_utf8(out).unwrap(),
        counts.found().map(|(_, count)| count).sum(),
        neutralised,
    )
}

fn json(document: &str, scan: Scan) -> (String, u64, u64) {
    let mut writer = TextWriter::default();
    let mut out = Vec::new();
    writer.json(&mut out, document.as_bytes(), scan).unwrap();
    let (counts, neutralised) = writer.counts();
    (
        String::from_utf8(out).unwrap(),
        counts.found().map(|(_, count)| count).sum(),
        neutralised,
    )
}

#[test]
fn text_is_redacted_then_neutralised_then_escaped() {
    assert_eq!(text("plain", SCAN), ("\"plain\"".to_owned(), 0, 0));
    assert_eq!(text("a \"b\"\n", SCAN), (r#""a \"b\"\n""#.to_owned(), 0, 0));
    assert_eq!(text("=1+1", SCAN), ("\"'=1+1\"".to_owned(), 0, 1));
    assert_eq!(text("=1+1", Scan::No), ("\"'=1+1\"".to_owned(), 0, 1));
    // What is replaced needs no mark any more.
    assert_eq!(
        text("+14155552671", SCAN),
        ("\"[redacted:phone]\"".to_owned(), 1, 0)
    );
    assert_eq!(
        text("+14155552671", Scan::No),
        ("\"'+14155552671\"".to_owned(), 0, 1)
    );
    assert_eq!(
        text("=x +14155552671 \t", SCAN),
        (r#""'=x [redacted:phone] \t""#.to_owned(), 1, 1)
    );
    assert_eq!(text("jane@example.com", SCAN).1, 0);
    assert_eq!(
        text("jane@example.com", Scan::Yes { email: true }).0,
        "\"[redacted:email]\""
    );
}

#[test]
fn what_can_not_be_written_fails() {
    let mut writer = TextWriter::default();
    assert_eq!(
        writer.text(&mut Vec::new(), b"a\xff", SCAN),
        Err(ValueError::Utf8)
    );
    assert_eq!(
        writer.text(&mut Vec::new(), b"\xed\xa0\x80", SCAN),
        Err(ValueError::Utf8)
    );
    assert_eq!(
        writer.text(&mut Vec::new(), &vec![b'a'; MAX_CELL + 1], SCAN),
        Err(ValueError::TooLarge)
    );
    assert!(
        writer
            .text(&mut Vec::new(), &vec![b'a'; MAX_CELL], SCAN)
            .is_ok()
    );
    assert!(matches!(
        writer.json(&mut Vec::new(), b"{", SCAN),
        Err(ValueError::Json(_))
    ));
}

#[test]
fn json_is_cleaned_however_deep_and_numbers_are_left() {
    assert_eq!(
        json(
            r#"{"b":[-1,"=x",{"c":"-y"}],"a":"\u002b1 415 555 2671"}"#,
            SCAN
        ),
        (
            r#"{"a":"[redacted:phone]","b":[-1,"'=x",{"c":"'-y"}]}"#.to_owned(),
            1,
            2
        )
    );
    assert_eq!(json(r#""=1""#, SCAN).0, r#""'=1""#);
}

#[test]
fn dynamic_keys_are_cleaned_and_stay_apart() {
    assert_eq!(
        json(r#"{"=b":1,"+14155552671":2,"+14155552672":3}"#, SCAN),
        (
            r##"{"'=b":1,"[redacted:phone]":2,"[redacted:phone]#2":3}"##.to_owned(),
            2,
            1
        )
    );
    // Sorted after cleaning, by UTF-16.
    assert_eq!(
        json("{\"\u{ff1d}\":1,\"😀\":2,\"z\":3}", SCAN).0,
        "{\"'\u{ff1d}\":1,\"z\":3,\"😀\":2}"
    );
}

#[test]
fn keys_say_what_values_are() {
    assert_eq!(
        json(r#"{"password":"abc","pwd":1234,"phone":4155552671,"phones":["4155552671","n/a"],"token_count":12345678,"secret":null}"#, SCAN).0,
        r#"{"password":"[redacted:secret]","phone":"[redacted:phone]","phones":["[redacted:phone]","n/a"],"pwd":"[redacted:secret]","secret":null,"token_count":12345678}"#
    );
    assert_eq!(
        json(r#"{"password":"abc"}"#, Scan::No).0,
        r#"{"password":"abc"}"#
    );
}

#[test]
fn keys_say_what_values_are_further_down() {
    assert_eq!(
        json(
            r#"{"a":1,"secret":{"value":"hunter","at":[{"k":"x1y2z3"}],"n":7,"ok":true},"token":{"type":"access","value":"a1b2c3d4"},"z":"hunter"}"#,
            SCAN
        )
        .0,
        r#"{"a":1,"secret":{"at":[{"k":"[redacted:secret]"}],"n":7,"ok":true,"value":"[redacted:secret]"},"token":{"type":"access","value":"[redacted:bearer_token]"},"z":"hunter"}"#
    );
    for nested in [
        r#"{"call":{"secret":{"value":"[redacted:secret]"}}}"#,
        r#"{"token":{"password":{"value":"[redacted:secret]"}}}"#,
        r#"{"password":{"token":{"value":"[redacted:secret]"}}}"#,
    ] {
        assert_eq!(
            json(&nested.replace("[redacted:secret]", "hunter"), SCAN).0,
            nested
        );
    }
    let pins = r#"{"map_pin":"Berlin office","pin":13,"pins":[{"label":"HQ"}]}"#;
    assert_eq!(json(pins, SCAN).0, pins);
    assert_eq!(
        json(r#"{"password":"x","pin":1234,"pwd":"***"}"#, SCAN).0,
        r#"{"password":"[redacted:secret]","pin":"[redacted:secret]","pwd":"***"}"#
    );
}

#[test]
fn masks_keep_the_tail_of_long_values_only() {
    let masked = |text: &str, keep_last| {
        let mut out = Vec::new();
        write_masked(&mut out, text, keep_last);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(masked("+14155552671", 0), "\"***\"");
    assert_eq!(masked("+14155552671", 4), "\"***2671\"");
    assert_eq!(masked("123456789012", 4), "\"***9012\"");
    assert_eq!(masked("12345678901", 4), "\"***\"");
    assert_eq!(masked("ääääää\"", 2), "\"***ä\\\"\"");
    assert_eq!(masked("", 2), "\"***\"");
}
