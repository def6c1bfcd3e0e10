#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;

/// Changes nothing.
struct Verbatim;

impl Rewrite for Verbatim {
    fn value(&mut self, _: Option<&str>, _: &str, _: &mut String) -> bool {
        false
    }

    fn key(&mut self, _: &str, _: &mut String) -> bool {
        false
    }

    fn number(&mut self, _: Option<&str>, _: &str, _: &mut String) -> bool {
        false
    }
}

/// Writes keys in upper case, and every value as the key it belongs to.
struct Shout;

impl Rewrite for Shout {
    fn value(&mut self, key: Option<&str>, _: &str, out: &mut String) -> bool {
        out.push_str(key.unwrap_or("-"));
        true
    }

    fn key(&mut self, key: &str, out: &mut String) -> bool {
        out.push_str(&key.to_uppercase());
        true
    }

    fn number(&mut self, key: Option<&str>, _: &str, out: &mut String) -> bool {
        out.push_str(key.unwrap_or_default());
        key.is_some()
    }
}

fn rewritten(document: &str, rewrite: &mut dyn Rewrite) -> Result<String, JsonError> {
    let mut out = b"before".to_vec();
    Canonicaliser::default().write(document, rewrite, &mut out)?;
    Ok(String::from_utf8(out)
        .unwrap()
        .strip_prefix("before")
        .unwrap()
        .to_owned())
}

pub(in crate::export::canonical) fn canonical(document: &str) -> Result<String, JsonError> {
    rewritten(document, &mut Verbatim)
}

#[test]
fn whitespace_goes_and_keys_are_sorted() {
    assert_eq!(
        canonical(" { \"b\" : [ 1 , { } , [ ] ] ,\n\"a\":{\"z\":null,\"y\":true}}\t").unwrap(),
        r#"{"a":{"y":true,"z":null},"b":[1,{},[]]}"#
    );
}

#[test]
fn what_is_not_strict_json_is_refused() {
    for document in [
        "",
        " ",
        "{",
        "[1,]",
        "{\"a\":1,}",
        "{a:1}",
        "'a'",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "NaN",
        "Infinity",
        "tru",
        "nulll",
        "\"\t\"",
        "\"\\x\"",
        "\"\\u12\"",
        "\"\\u+123\"",
        "\"a",
        "[1 2]",
        "{\"a\" 1}",
        "{} {}",
        "[1]]",
        "\u{feff}{}",
        "/**/1",
    ] {
        assert_eq!(canonical(document), Err(JsonError::Syntax), "{document:?}");
    }
}

#[test]
fn duplicate_keys_are_refused_however_they_are_spelt() {
    assert_eq!(
        canonical(r#"{"a":1,"b":2,"\u0061":3}"#),
        Err(JsonError::DuplicateKey)
    );
    assert_eq!(
        rewritten(r#"{"a":1,"b":2,"a":3}"#, &mut Shout),
        Err(JsonError::DuplicateKey)
    );
    assert!(canonical(r#"{"a":{"a":1},"b":{"a":1}}"#).is_ok());
}

#[test]
fn lone_surrogates_are_refused() {
    for document in [
        r#""\ud800""#,
        r#""\udc00""#,
        r#""\ud800\u0041""#,
        r#""\ud800x""#,
        r#"{"\udfff":1}"#,
    ] {
        assert_eq!(
            canonical(document),
            Err(JsonError::LoneSurrogate),
            "{document}"
        );
    }
    assert_eq!(canonical(r#""\ud83d\uDE00""#).unwrap(), "\"😀\"");
}

#[test]
fn numbers_that_do_not_survive_are_refused() {
    assert_eq!(canonical("[9007199254740993]"), Err(JsonError::Number));
    assert_eq!(canonical("{\"a\":1e999}"), Err(JsonError::Number));
}

#[test]
fn depth_is_bounded() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(canonical(&nested(MAX_DEPTH)).is_ok());
    assert_eq!(canonical(&nested(MAX_DEPTH + 1)), Err(JsonError::Depth));
    assert_eq!(
        canonical(&"{\"a\":".repeat(1_000_000)),
        Err(JsonError::Depth)
    );
}

#[test]
fn values_know_the_key_they_belong_to() {
    assert_eq!(
        rewritten(
            r#"{"a":"x","b":["x",["x",1]],"c":{"d":2},"e":[{"f":"x"},"x"]}"#,
            &mut Shout
        )
        .unwrap(),
        r#"{"A":"a","B":["b",["b","b"]],"C":{"D":"d"},"E":[{"F":"f"},"e"]}"#
    );
    assert_eq!(rewritten(r#"["x",1]"#, &mut Shout).unwrap(), r#"["-",1]"#);
}

#[test]
fn keys_that_become_alike_are_numbered_in_the_order_of_the_originals() {
    let expected = r##"{"X":true,"X#2":false,"Y":null}"##;
    assert_eq!(
        rewritten(r#"{"y":null,"x":false,"X":true}"#, &mut Shout).unwrap(),
        expected
    );
    assert_eq!(
        rewritten(r#"{"X":true,"x":false,"y":null}"#, &mut Shout).unwrap(),
        expected
    );
    assert_eq!(
        rewritten(
            r##"{"aa":true,"aA":false,"Aa":null,"aa#2":[]}"##,
            &mut Shout
        )
        .unwrap(),
        r##"{"AA":null,"AA#2":[],"AA#3":false,"AA#4":true}"##
    );
}
