//! Every type, with its edges: exactly what the server holds, or a failure that names the column.

use serde_json::{Value, json};

use crate::desk::{Desk, Schema, category};
use crate::server::shared;

pub(crate) const BIND: &str = "where length(:tenant) > 0";

/// The values that `expressions` give, as exported.
async fn exported(url: &str, declared: &str, expressions: &[&str]) -> Vec<Value> {
    let rows: Vec<String> = expressions
        .iter()
        .enumerate()
        .map(|(at, expression)| format!("select {at} as at, {expression} as v"))
        .collect();
    let query = format!(
        "select v from ({}) as t {BIND} order by at",
        rows.join(" union all ")
    );
    let column = if ["text", "json"].contains(&declared) {
        format!("v = {{ type = '{declared}', rule = 'keep', why = 'test' }}")
    } else {
        format!("v = {{ type = '{declared}' }}")
    };
    let desk = Desk::new(url, &category("c", &query, &column)).await;
    let rows = desk
        .rows("c")
        .await
        .unwrap_or_else(|failure| panic!("{expressions:?}: {failure:?}"));
    rows.into_iter().map(|mut row| row["v"].take()).collect()
}

pub(crate) async fn each_is(url: &str, declared: &str, cases: &[(&str, Value)]) {
    let expressions: Vec<&str> = cases.iter().map(|(expression, _)| *expression).collect();
    let found = exported(url, declared, &expressions).await;
    for ((expression, expected), found) in cases.iter().zip(found) {
        assert_eq!(found, *expected, "{expression} as {declared}");
    }
}

#[tokio::test]
async fn numbers_keep_every_digit() {
    let url = shared::url();
    each_is(
        &url,
        "integer",
        &[
            ("(-32768)::int2", json!(-32768)),
            ("32767::int2", json!(32767)),
            ("null::int2", json!(null)),
        ],
    )
    .await;
    each_is(
        &url,
        "integer",
        &[("(-2147483648)::int4", json!(-2_147_483_648_i64))],
    )
    .await;
    each_is(
        &url,
        "integer",
        &[
            ("9007199254740991::int8", json!(9_007_199_254_740_991_i64)),
            (
                "(-9007199254740991)::int8",
                json!(-9_007_199_254_740_991_i64),
            ),
        ],
    )
    .await;
    each_is(
        &url,
        "integer",
        &[("4294967295::oid", json!(4_294_967_295_u32))],
    )
    .await;
    each_is(
        &url,
        "bigint",
        &[
            (
                "(-9223372036854775808)::int8",
                json!("-9223372036854775808"),
            ),
            ("9223372036854775807::int8", json!("9223372036854775807")),
        ],
    )
    .await;
    each_is(
        &url,
        "decimal",
        &[
            ("0::numeric", json!("0")),
            ("0.000::numeric", json!("0.000")),
            ("-0.00::numeric", json!("0.00")),
            ("12.50::numeric", json!("12.50")),
            ("-0.000001::numeric", json!("-0.000001")),
            ("100000000.0001::numeric(20,6)", json!("100000000.000100")),
            ("10000::numeric", json!("10000")),
            (
                "99999999999999999999999999999999999999.9999::numeric",
                json!("99999999999999999999999999999999999999.9999"),
            ),
            ("1e-20::numeric", json!("0.00000000000000000001")),
        ],
    )
    .await;
    each_is(
        &url,
        "float",
        &[
            ("0.1::float4::float8", json!(0.100_000_001_490_116_12)),
            ("1e300::float8", json!(1e300)),
            ("5e-324::float8", json!(5e-324)),
            ("0.1::float8", json!(0.1)),
        ],
    )
    .await;
    each_is(
        &url,
        "float",
        &[
            ("0.1::float4", json!(0.1)),
            ("3.4028235e38::float4", json!(3.4028235e38)),
            ("16777216::float4", json!(16_777_216)),
        ],
    )
    .await;
    each_is(
        &url,
        "bool",
        &[("true", json!(true)), ("false", json!(false))],
    )
    .await;
}

#[tokio::test]
async fn the_longest_decimals_are_whole() {
    let url = shared::url();
    let found = exported(
        &url,
        "decimal",
        &[
            "(10::numeric ^ 5000) + 0.5",
            "pi()::numeric / 3::numeric(1000, 900)",
        ],
    )
    .await;
    let own = shared::query(
        "select (10::numeric ^ 5000) + 0.5 union all select pi()::numeric / 3::numeric(1000, 900)",
    );
    let own: Vec<&str> = own.lines().collect();
    assert_eq!(found, own);
}

#[tokio::test]
async fn times_are_utc_to_the_microsecond() {
    let url = shared::url();
    each_is(
        &url,
        "timestamp",
        &[
            (
                "'2024-02-29 23:59:59.999999+00'::timestamptz",
                json!("2024-02-29T23:59:59.999999Z"),
            ),
            (
                "'2024-01-01 01:30:00+02'::timestamptz",
                json!("2023-12-31T23:30:00.000Z"),
            ),
            (
                "'1969-12-31 23:59:59.5Z'::timestamptz",
                json!("1969-12-31T23:59:59.500Z"),
            ),
            (
                "'0001-01-01 00:00:00Z'::timestamptz",
                json!("0001-01-01T00:00:00.000Z"),
            ),
            (
                "'9999-12-31 23:59:59.999999Z'::timestamptz",
                json!("9999-12-31T23:59:59.999999Z"),
            ),
        ],
    )
    .await;
    each_is(
        &url,
        "timestamp",
        &[(
            "'2024-01-15 10:15:30.12'::timestamp",
            json!("2024-01-15T10:15:30.120Z"),
        )],
    )
    .await;
    each_is(
        &url,
        "date",
        &[
            ("'2024-02-29'::date", json!("2024-02-29")),
            ("'0001-01-01 BC'::date", json!("0000-01-01")),
            ("'1999-12-31'::date", json!("1999-12-31")),
            ("'9999-12-31'::date", json!("9999-12-31")),
        ],
    )
    .await;
    each_is(
        &url,
        "text",
        &[
            ("'00:00'::time", json!("00:00:00")),
            ("'23:59:59.000001'::time", json!("23:59:59.000001")),
            ("'24:00'::time", json!("24:00:00")),
        ],
    )
    .await;
    each_is(
        &url,
        "text",
        &[
            ("'10:00+02'::timetz", json!("10:00:00+02")),
            ("'10:00:00.5-05:30'::timetz", json!("10:00:00.5-05:30")),
            ("'10:00+00'::timetz", json!("10:00:00+00")),
            ("'10:00-00:00:15'::timetz", json!("10:00:00-00:00:15")),
        ],
    )
    .await;
}

/// Values whose text is the server's own, whatever they are.
#[tokio::test]
async fn texts_are_those_that_the_server_writes() {
    let url = shared::url();
    for (kind, values) in [
        (
            "interval",
            &[
                "0",
                "1 year 2 mons 3 days 04:05:06.7",
                "-1 year",
                "1 mon -1 day",
                "-00:00:00.000001",
                "-13 mons +00:00:01",
                "178000000 years",
                "-3 days -04:05:06.070",
                "100:00:00",
                "1 day -25:00:00",
            ][..],
        ),
        (
            "inet",
            &[
                "1.2.3.4",
                "1.2.3.4/8",
                "0.0.0.0/0",
                "::1",
                "::",
                "::/0",
                "::2",
                "::1.2.3.4",
                "::0.0.1.2",
                "::ffff:1.2.3.4",
                "::ffff:0:1",
                "2001:db8::1/64",
                "1::8",
                "1:0:0:2:0:0:0:3",
                "1:0:2:3:4:5:6:7",
                "fe80::1:0:0:1",
                "::3:0:0:1:2",
                "1:2:3:4:5:6::",
            ],
        ),
        (
            "cidr",
            &[
                "10.0.0.0/8",
                "1.2.3.4/32",
                "2001:db8::/32",
                "::1/128",
                "0.0.0.0/0",
            ],
        ),
        ("macaddr", &["08:00:2b:01:02:03"]),
        ("macaddr8", &["08:00:2b:01:02:03:04:ff"]),
        ("varbit", &["", "1", "10110", "101010101010101010"]),
        ("bit(3)", &["101"]),
        ("text", &["", "ünï😀", "a\"b\\c\nd\te"]),
        ("varchar(5)", &["a"]),
        ("char(5)", &["a"]),
        ("name", &["pg_class"]),
        ("uuid", &[]),
    ] {
        let expressions: Vec<String> = values
            .iter()
            .map(|value| format!("'{value}'::{kind}"))
            .collect();
        if expressions.is_empty() {
            continue;
        }
        let expressions: Vec<&str> = expressions.iter().map(String::as_str).collect();
        let found = exported(&url, "text", &expressions).await;
        for (expression, found) in expressions.iter().zip(found) {
            // As JSON, so that line ends stay; a plain cast would cut the blanks of char.
            let own = shared::query(&format!(
                "set intervalstyle = iso_8601; select to_json(format('%s', {expression}))"
            ));
            assert_eq!(
                found,
                serde_json::from_str::<Value>(&own).unwrap(),
                "{expression}"
            );
        }
    }
}

#[tokio::test]
async fn json_bytes_uuids_enums_and_domains_are_what_they_hold() {
    let schema = Schema::new(
        "create type mood as enum ('sad', 'so so', 'ok');
         create domain email as text check (value like '%@%');
         create domain price as numeric(10, 2);",
    );
    let url = schema.url();
    each_is(
        &url,
        "json",
        &[
            (
                r#"'{"b": 1.0, "a": [true, null, "=x"]}'::json"#,
                json!({"a": [true, null, "'=x"], "b": 1}),
            ),
            ("'[]'::json", json!([])),
            ("null::json", json!(null)),
            ("'null'::json", json!(null)),
        ],
    )
    .await;
    each_is(
        &url,
        "json",
        &[(
            r#"'{"b": 1.50, "a": "\u00e9"}'::jsonb"#,
            json!({"a": "é", "b": 1.5}),
        )],
    )
    .await;
    each_is(
        &url,
        "text",
        &[(r#"'{"b":1,  "a":2}'::json"#, json!("{\"b\":1,  \"a\":2}"))],
    )
    .await;
    each_is(
        &url,
        "bytes",
        &[
            (r"'\x00ff10'::bytea", json!("AP8Q")),
            (r"'\x'::bytea", json!("")),
        ],
    )
    .await;
    each_is(
        &url,
        "uuid",
        &[(
            "'550E8400-E29B-41D4-A716-446655440000'::uuid",
            json!("550e8400-e29b-41d4-a716-446655440000"),
        )],
    )
    .await;
    each_is(
        &url,
        "uuid",
        &[(
            "'550E8400-E29B-41D4-A716-446655440000'::text",
            json!("550e8400-e29b-41d4-a716-446655440000"),
        )],
    )
    .await;
    each_is(&url, "text", &[("'so so'::mood", json!("so so"))]).await;
    each_is(&url, "text", &[("'a@b'::email", json!("a@b"))]).await;
    each_is(&url, "decimal", &[("1.5::price", json!("1.50"))]).await;
    each_is(
        &url,
        "json",
        &[(
            "array['ok', null, 'sad']::mood[]",
            json!(["ok", null, "sad"]),
        )],
    )
    .await;
    each_is(
        &url,
        "json",
        &[("array[1.5, 2]::price[]", json!(["1.50", "2.00"]))],
    )
    .await;
}
