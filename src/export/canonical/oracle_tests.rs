//! Our canonical form against RFC 8785's own examples and against an independent canonicaliser.

#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;
use serde_json::{Map, Value};

use super::json::tests::canonical;

/// Section 3.2.2 and 3.2.3.
#[test]
fn the_example_of_rfc_8785() {
    let document = r#"{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"#;
    let expected = r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#;
    assert_eq!(canonical(document).unwrap(), expected);
}

/// Section 3.2.3: keys sort by UTF-16 code units.
#[test]
fn the_sorting_example_of_rfc_8785() {
    let document = r#"{
      "\u20ac": "Euro Sign",
      "\r": "Carriage Return",
      "\ufb33": "Hebrew Letter Dalet With Dagesh",
      "1": "One",
      "\ud83d\ude00": "Emoji: Grinning Face",
      "\u0080": "Control",
      "\u00f6": "Latin Small Letter O With Diaeresis"
    }"#;
    let order = [
        "Carriage Return",
        "One",
        "Control",
        "Latin Small Letter O With Diaeresis",
        "Euro Sign",
        "Emoji: Grinning Face",
        "Hebrew Letter Dalet With Dagesh",
    ];
    let written = canonical(document).unwrap();
    let places: Vec<_> = order
        .iter()
        .map(|value| written.find(value).unwrap())
        .collect();
    assert!(places.is_sorted(), "{written}");
    let value: Value = serde_json::from_str(document).unwrap();
    assert_eq!(
        written,
        serde_json_canonicalizer::to_string(&value).unwrap()
    );
}

fn document() -> impl Strategy<Value = Value> {
    let key = prop_oneof![
        any::<String>(),
        "[\u{e000}-\u{ffff}\u{10000}-\u{10ffff}ab\"\\\\\n]{0,3}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(|bits| Value::from(f64::from_bits(bits))),
        key.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..8)
                .prop_map(|members| Value::from(Map::from_iter(members))),
        ]
    })
}

proptest! {
    #[test]
    fn documents_are_those_of_an_independent_canonicaliser(value in document(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
        prop_assert_eq!(canonical(&text).unwrap(), serde_json_canonicalizer::to_string(&value).unwrap());
    }

    #[test]
    fn any_text_is_refused_or_taken_as_serde_json_takes_it(text in "[\\[\\]{},:\"\\\\0-9a-fu.eE+ -]{0,24}") {
        if canonical(&text).is_ok() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok(), "{}", text);
        }
    }

    #[test]
    fn canonical_form_is_a_fixed_point(value in document()) {
        let once = canonical(&serde_json::to_string(&value).unwrap()).unwrap();
        prop_assert_eq!(canonical(&once).unwrap(), once);
    }
}
