//! Arrays, and what has no exact form.

use serde_json::json;

use crate::desk::{Desk, category};
use crate::server::shared;
use crate::types::{BIND, each_is};

#[tokio::test]
async fn arrays_hold_what_columns_would() {
    let url = shared::url();
    for (expression, expected) in [
        ("'{}'::int4[]", json!([])),
        ("array[1, null, -3]::int4[]", json!([1, null, -3])),
        ("array[[1, 2], [3, 4]]::int8[]", json!([[1, 2], [3, 4]])),
        ("array[[[true]], [[false]]]", json!([[[true]], [[false]]])),
        ("array[1.50, -0.1]::numeric[]", json!(["1.50", "'-0.1"])),
        (
            "array['a\"b', '', 'null', 'ü', E'\\\\']::text[]",
            json!(["a\"b", "", "null", "ü", "\\"]),
        ),
        ("array['=1']::text[]", json!(["'=1"])),
        (
            r#"array['{"b":1,"a":2}', '3']::jsonb[]"#,
            json!([{"a": 2, "b": 1}, 3]),
        ),
        (
            r#"array['{"b":1,"a":2}']::json[]"#,
            json!([{"a": 2, "b": 1}]),
        ),
        ("array[0.5, 1e300]::float8[]", json!([0.5, 1e300])),
        ("array[0.1]::float4[]", json!([0.1])),
        (
            "array['2024-01-15 10:15:30.5Z']::timestamptz[]",
            json!(["2024-01-15T10:15:30.500Z"]),
        ),
        ("array['2024-01-15']::date[]", json!(["2024-01-15"])),
        (
            "array['550E8400-E29B-41D4-A716-446655440000']::uuid[]",
            json!(["550e8400-e29b-41d4-a716-446655440000"]),
        ),
        (r"array['\x00ff']::bytea[]", json!(["AP8="])),
        ("array['1 day']::interval[]", json!(["P1D"])),
        (
            "array['::1/128', '1.2.3.0/24']::inet[]",
            json!(["::1", "1.2.3.0/24"]),
        ),
        ("array['10:00']::time[]", json!(["10:00:00"])),
    ] {
        each_is(&url, "json", &[(expression, expected)]).await;
    }
}

#[tokio::test]
async fn what_has_no_exact_form_fails_by_name() {
    let url = shared::url();
    for (declared, expression, code) in [
        ("decimal", "'NaN'::numeric", "value_out_of_range"),
        ("decimal", "'Infinity'::numeric", "value_out_of_range"),
        ("decimal", "'-Infinity'::numeric", "value_out_of_range"),
        ("float", "'NaN'::float8", "value_out_of_range"),
        ("float", "'Infinity'::float4", "value_out_of_range"),
        ("integer", "9007199254740992::int8", "value_out_of_range"),
        ("timestamp", "'infinity'::timestamptz", "value_out_of_range"),
        ("timestamp", "'-infinity'::timestamp", "value_out_of_range"),
        (
            "timestamp",
            "'2024-01-01 BC'::timestamptz",
            "value_out_of_range",
        ),
        (
            "timestamp",
            "'294276-12-31'::timestamp",
            "value_out_of_range",
        ),
        ("date", "'infinity'::date", "value_out_of_range"),
        ("date", "'10000-01-01'::date", "value_out_of_range"),
        (
            "json",
            "array[9007199254740993]::int8[]",
            "value_out_of_range",
        ),
        ("json", "array['NaN']::numeric[]", "value_out_of_range"),
        ("json", "array['NaN']::float8[]", "value_out_of_range"),
        ("json", "array['infinity']::date[]", "value_out_of_range"),
        ("json", "'[0:1]={1,2}'::int4[]", "value_out_of_range"),
        ("json", r#"'{"a":1,"a":2}'::json"#, "invalid_value"),
        ("text", "'(1,2)'::point", "invalid_value"),
        ("text", "row(1, 2)", "invalid_value"),
        ("decimal", "'1'::money", "invalid_value"),
        ("json", "'[1,2]'::int4range", "invalid_value"),
        ("text", "5", "invalid_value"),
        ("integer", "'5'::text", "invalid_value"),
        ("timestamp", "'2024-01-15'::date", "invalid_value"),
        (
            "text",
            "'550e8400-e29b-41d4-a716-446655440000'::uuid",
            "invalid_value",
        ),
    ] {
        let keep = if ["text", "json"].contains(&declared) {
            ", rule = 'keep', why = 'test'"
        } else {
            ""
        };
        let query = format!("select v from (select {expression} as v) as t {BIND}");
        let desk = Desk::new(
            &url,
            &category("c", &query, &format!("v = {{ type = '{declared}'{keep} }}")),
        )
        .await;
        let failure = desk.rows("c").await.expect_err(expression);
        assert_eq!(failure.code, code, "{expression}: {failure:?}");
        assert!(!failure.retryable, "{failure:?}");
        assert_eq!(failure.parameters["category"], "c", "{failure:?}");
        assert_eq!(failure.parameters["column"], "v", "{failure:?}");
        // Dropped, it is nobody's business.
        let desk = Desk::new(
            &url,
            &category(
                "c",
                &query.replace("select v", "select v, 1 as one"),
                "v = { rule = 'drop' }\none = { type = 'integer' }",
            ),
        )
        .await;
        assert_eq!(
            desk.rows("c").await.unwrap(),
            [json!({ "one": 1 })],
            "{expression}"
        );
    }
}
