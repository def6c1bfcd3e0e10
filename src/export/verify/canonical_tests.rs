#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::Cursor;

use proptest::prelude::*;

use super::*;
use crate::export::verify::source::Source;
use crate::export::verify::{Finding, Stop};

/// What the checker says of a value, which stands in an object so that the file looks like a document.
fn check(value: &[u8], limits: Limits) -> Result<(), Reason> {
    let document = [b"{\"v\":", value, b"}"].concat();
    let source = Source::start(Box::new(Cursor::new(document)), limits).unwrap();
    let mut progress = |_| ();
    let mut checker = Checker::new(Input::new(source, &mut progress), limits);
    match checker
        .literal(b"{\"v\":")
        .and_then(|()| checker.value(0))
        .and_then(|()| checker.literal(b"}"))
        .and_then(|()| checker.input.end())
    {
        Ok(_) => Ok(()),
        Err(Stop::Found(Finding { reason, .. })) => Err(reason),
        Err(Stop::Io(error)) => unreachable!("{error}"),
    }
}

fn is_canonical(value: &str) -> bool {
    check(value.as_bytes(), Limits::default()).is_ok()
}

/// RFC 8785, appendix B: the bits of a double and its only spelling.
const RFC_8785_NUMBERS: [(u64, &str); 24] = [
    (0x0000_0000_0000_0000, "0"),
    (0x0000_0000_0000_0001, "5e-324"),
    (0x8000_0000_0000_0001, "-5e-324"),
    (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
    (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
    (0x4340_0000_0000_0000, "9007199254740992"),
    (0xc340_0000_0000_0000, "-9007199254740992"),
    (0x4430_0000_0000_0000, "295147905179352830000"),
    (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
    (0x44b5_2d02_c7e1_4af6, "1e+23"),
    (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
    (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
    (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
    (0x444b_1ae4_d6e2_ef50, "1e+21"),
    (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
    (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
    (0x41b3_de43_5555_5553, "333333333.3333332"),
    (0x41b3_de43_5555_5554, "333333333.33333325"),
    (0x41b3_de43_5555_5555, "333333333.3333333"),
    (0x41b3_de43_5555_5556, "333333333.3333334"),
    (0x41b3_de43_5555_5557, "333333333.33333343"),
    (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
    (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
    (0x3ff0_0000_0000_0000, "1"),
];

#[test]
fn numbers_have_one_spelling() {
    for (bits, text) in RFC_8785_NUMBERS {
        assert!(is_canonical(text), "{text}");
        assert_eq!(text.parse::<f64>().unwrap().to_bits(), bits, "{text}");
    }
    for text in [
        "-0",
        "00",
        "01",
        "-01",
        "1.0",
        "1.50",
        "0.10",
        ".5",
        "5.",
        "+1",
        "1e2",
        "1E+21",
        "1e21",
        "1e+021",
        "1e-6",
        "10000000000000000000000",
        "1e400",
        "-1e400",
        "--1",
        "-",
        "e",
        "1e",
        "0x1",
        "1_0",
        "NaN",
        "Infinity",
        "-Infinity",
        "9007199254740993",
        "0.30000000000000000",
        "0.1e1",
        "123456789012345678901234567890",
        "5e-325",
    ] {
        assert!(!is_canonical(text), "{text}");
    }
}

#[test]
fn strings_have_one_spelling() {
    for text in [
        r#""""#,
        r#""a/b""#,
        r#""\"\\\b\t\n\f\r""#,
        r#""\u0000\u001f\u000b""#,
        "\"\u{7f}\u{80}€\u{1F600}\u{FFFF}\"",
    ] {
        assert!(is_canonical(text), "{text}");
    }
    for text in [
        r#""\/""#,
        r#""\u0041""#,
        r#""\u000a""#,
        r#""\u001F""#,
        r#""\u20ac""#,
        r#""\ud83d\ude00""#,
        r#""\ud800""#,
        r#""\u007f""#,
        r#""\x41""#,
        r#""\u00""#,
        r#""\"#,
        "\"\n\"",
        "\"\0\"",
        "'a'",
        r#""a"#,
        "\"\u{1f}\"",
    ] {
        assert!(!is_canonical(text), "{text}");
    }
    for bytes in [
        &b"\"\xff\""[..],
        b"\"\xc0\x80\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf5\x80\x80\x80\"",
        b"\"\xe2\x82\"",
        b"\"\xe2\x82",
        b"\"\x80\"",
    ] {
        assert!(check(bytes, Limits::default()).is_err(), "{bytes:?}");
    }
}

#[test]
fn structure_has_one_spelling() {
    for text in [
        "{}",
        "[]",
        "[null,true,false]",
        r#"{"":0,"a":{"a":[]},"b":1}"#,
        r#"[[{"k":1},{"k":1}],{"k":{"k":2}}]"#,
    ] {
        assert!(is_canonical(text), "{text}");
    }
    for text in [
        "[ ]",
        "[1, 2]",
        r#"{"a" :1}"#,
        r#"{"a": 1}"#,
        r#"{ "a":1}"#,
        "[1,]",
        r#"{"a":1,}"#,
        "[,1]",
        r#"{"a"}"#,
        r#"{"a":}"#,
        r"{1:2}",
        r#"{"b":1,"a":2}"#,
        "nul",
        "True",
        "[1",
        r#"{"a":1"#,
        "",
        "[]]",
        "tru",
        "\u{feff}[]",
        "[]\n",
    ] {
        assert!(!is_canonical(text), "{text}");
    }
    assert_eq!(
        check(br#"{"a":1,"b":{"a":1},"b":2}"#, Limits::default()),
        Err(Reason::DuplicateKey)
    );
}

#[test]
fn keys_sort_by_utf16_code_units() {
    assert!(is_canonical(
        "{\"\\r\":1,\"1\":2,\"\u{80}\":3,\"\u{f6}\":4,\"\u{20ac}\":5,\"\u{1f600}\":6,\"\u{fb33}\":7}"
    ));
    assert!(!is_canonical("{\"\u{fb33}\":7,\"\u{1f600}\":6}"));
    assert!(!is_canonical(r#"{"\"":1,"!":2}"#));
    assert!(is_canonical(r#"{"!":2,"\"":1}"#));
    assert!(is_canonical(r#"{"a":1,"a\u0000":1}"#));
}

#[test]
fn limits_hold() {
    let limits = Limits {
        depth: 8,
        string_bytes: 1000,
        key_bytes: 2000,
        ..Limits::default()
    };
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert_eq!(check(nested(8).as_bytes(), limits), Ok(()));
    assert_eq!(
        check(nested(9).as_bytes(), limits),
        Err(Reason::Limit("nesting is too deep"))
    );
    assert_eq!(
        check(nested(100_000).as_bytes(), limits),
        Err(Reason::Limit("nesting is too deep"))
    );
    assert_eq!(
        check(format!("\"{}\"", "x".repeat(1000)).as_bytes(), limits),
        Ok(())
    );
    let long = format!("\"{}\"", "\\u0001".repeat(300_000));
    assert_eq!(
        check(long.as_bytes(), limits),
        Err(Reason::Limit("a string is too long"))
    );
    let keys = format!(r#"{{"{0}":{{"{0}":{{"{0}":1}}}}}}"#, "k".repeat(900));
    assert_eq!(
        check(keys.as_bytes(), limits),
        Err(Reason::Limit("keys are too long"))
    );
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof![
        ".{0,12}",
        "[\\x00-\\x7f]{0,40}",
        "[\u{1F600}-\u{1F610}\u{e000}-\u{e010}é\"\\\\]{0,200}"
    ];
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i32>().prop_map(Into::into),
        any::<f64>().prop_filter_map("finite", |number| serde_json::Number::from_f64(number)
            .map(Into::into)),
        text.clone().prop_map(Into::into),
    ];
    leaf.prop_recursive(5, 80, 8, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            proptest::collection::btree_map(text.clone(), inner, 0..8)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    /// An independent canonicaliser's output is accepted; and whatever is accepted, it would write the same.
    #[test]
    fn accepts_what_another_canonicaliser_writes_and_nothing_it_would_change(value in json(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        prop_assert_eq!(check(&canonical, Limits::default()), Ok(()));
        let mut changed = canonical.clone();
        *at.get_mut(&mut changed) = byte;
        if check(&changed, Limits::default()).is_ok() {
            let reread: serde_json::Value = serde_json::from_slice(&changed).unwrap();
            prop_assert_eq!(serde_json_canonicalizer::to_vec(&reread).unwrap(), changed);
        }
    }

    /// The word-wise scan finds what a byte-wise one finds.
    #[test]
    fn scanning_by_words_is_scanning_by_bytes(bytes in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b'\\'), Just(0x1f), Just(0x20), Just(0x7f), Just(0x80), any::<u8>()], 0..100)) {
        let expected = bytes.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\').unwrap_or(bytes.len());
        prop_assert_eq!(plain(&bytes), (expected, bytes[..expected].is_ascii()));
    }
}
