#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn written(column_type: ColumnType, cell: Cell<'_>) -> Result<String, ValueError> {
    let mut out = Vec::new();
    write(&mut out, column_type, cell).map(|()| String::from_utf8(out).unwrap())
}

#[test]
fn values_are_written_as_their_type_says() {
    use Cell::{Bool, Bytes, Double, Integer, Text};
    for (column_type, cell, expected) in [
        (
            ColumnType::Integer,
            Integer(MAX_SAFE_INTEGER),
            "9007199254740991",
        ),
        (
            ColumnType::Integer,
            Integer(-MAX_SAFE_INTEGER),
            "-9007199254740991",
        ),
        (
            ColumnType::Bigint,
            Integer(i64::MIN),
            "\"-9223372036854775808\"",
        ),
        (
            ColumnType::Bigint,
            Text(b"340282366920938463463374607431768211456"),
            "\"340282366920938463463374607431768211456\"",
        ),
        (ColumnType::Decimal, Double(0.99), "\"0.99\""),
        (
            ColumnType::Decimal,
            Double(1e21),
            "\"1000000000000000000000\"",
        ),
        (ColumnType::Decimal, Double(1e-7), "\"0.0000001\""),
        (ColumnType::Decimal, Double(-0.0), "\"0\""),
        (ColumnType::Decimal, Integer(5), "\"5\""),
        (ColumnType::Decimal, Text(b"-12.50"), "\"-12.50\""),
        (ColumnType::Float, Double(1e21), "1e+21"),
        (ColumnType::Float, Double(-0.0), "0"),
        (ColumnType::Float, Integer(3), "3"),
        (ColumnType::Bool, Integer(1), "true"),
        (ColumnType::Bool, Bool(false), "false"),
        (
            ColumnType::Uuid,
            Text(b"550E8400-E29B-41D4-A716-446655440000"),
            "\"550e8400-e29b-41d4-a716-446655440000\"",
        ),
        (
            ColumnType::Uuid,
            Bytes(&[0; 16]),
            "\"00000000-0000-0000-0000-000000000000\"",
        ),
        (
            ColumnType::Timestamp,
            Text(b"2024-01-15 10:15:30"),
            "\"2024-01-15T10:15:30.000Z\"",
        ),
        (ColumnType::Date, Text(b"2024-01-15"), "\"2024-01-15\""),
        (ColumnType::Bytes, Bytes(b""), "\"\""),
        (ColumnType::Bytes, Bytes(b"a"), "\"YQ==\""),
        (ColumnType::Bytes, Bytes(&[0xff, 0xfe, 0xfd]), "\"//79\""),
    ] {
        assert_eq!(
            written(column_type, cell).as_deref(),
            Ok(expected),
            "{column_type} {cell:?}"
        );
    }
}

#[test]
fn what_is_not_of_the_type_fails() {
    use Cell::{Bool, Bytes, Double, Integer, Text};
    for (column_type, cell) in [
        (ColumnType::Integer, Text(b"1")),
        (ColumnType::Integer, Double(1.0)),
        (ColumnType::Integer, Bool(true)),
        (ColumnType::Bigint, Text(b"01")),
        (ColumnType::Bigint, Text(b"1.0")),
        (ColumnType::Bigint, Text(b"")),
        (ColumnType::Bigint, Double(1.0)),
        (ColumnType::Decimal, Text(b".5")),
        (ColumnType::Decimal, Text(b"1.")),
        (ColumnType::Decimal, Text(b"+1")),
        (ColumnType::Decimal, Text(b"1e3")),
        (ColumnType::Decimal, Text(b"-0")),
        (ColumnType::Decimal, Text(b"1.2.3")),
        (ColumnType::Float, Text(b"NaN")),
        (ColumnType::Bool, Integer(2)),
        (ColumnType::Bool, Text(b"true")),
        (ColumnType::Uuid, Text(b"550e8400e29b41d4a716446655440000")),
        (ColumnType::Uuid, Bytes(&[0; 15])),
        (ColumnType::Timestamp, Integer(1_705_312_530)),
        (ColumnType::Date, Text(b"2024-01-15 00:00:00")),
        (ColumnType::Bytes, Text(b"x")),
        (ColumnType::Text, Text(b"x")),
    ] {
        assert!(
            matches!(written(column_type, cell), Err(ValueError::Type { .. })),
            "{column_type} {cell:?}"
        );
    }
}

#[test]
fn what_the_type_can_not_hold_fails() {
    for (column_type, cell) in [
        (ColumnType::Integer, Cell::Integer(MAX_SAFE_INTEGER + 1)),
        (ColumnType::Integer, Cell::Integer(i64::MIN)),
        (ColumnType::Float, Cell::Double(f64::NAN)),
        (ColumnType::Float, Cell::Double(f64::INFINITY)),
        (ColumnType::Float, Cell::Integer(i64::MAX)),
        (ColumnType::Decimal, Cell::Double(f64::NEG_INFINITY)),
    ] {
        assert!(
            matches!(written(column_type, cell), Err(ValueError::Range { .. })),
            "{column_type} {cell:?}"
        );
    }
}

proptest! {
    #[test]
    fn decimals_denote_the_double_that_was_stored(value in any::<f64>().prop_filter("finite", |value| value.is_finite())) {
        let text = written(ColumnType::Decimal, Cell::Double(value)).unwrap();
        let digits = text.trim_matches('"');
        prop_assert!(is_decimal(digits.as_bytes()) || digits.len() > 16, "{}", digits);
        prop_assert_eq!(digits.parse::<f64>().unwrap(), value);
    }
}
