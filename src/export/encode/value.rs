//! One value of each type but text and json, checked against its declared type and appended as canonical JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::time::{write_date, write_date_days, write_timestamp, write_timestamp_micros};
use crate::export::canonical::number::{MAX_SAFE_INTEGER, write_double, write_integer};
use crate::export::catalog::ColumnType;
use crate::export::error::ValueError;
use crate::export::source::{Cell, MAX_CELL};

/// The longest a bigint or decimal may be, in bytes: as long as PostgreSQL's longest, 131072 digits before the point and 16383 after it.
const MAX_DIGITS: usize = 147_457;

const YEARS: ValueError = ValueError::Range {
    hint: "its year is one of 0000 to 9999; write column::text in the query for others",
};

/// Appends a value that isn't null. Text and json are not for here.
pub(super) fn write(
    out: &mut Vec<u8>,
    column_type: ColumnType,
    cell: Cell<'_>,
) -> Result<(), ValueError> {
    match column_type {
        ColumnType::Integer => integer(out, cell),
        ColumnType::Bigint => bigint(out, cell),
        ColumnType::Decimal => decimal(out, cell),
        ColumnType::Float => float(out, cell),
        ColumnType::Bool => boolean(out, cell),
        ColumnType::Uuid => uuid(out, cell),
        ColumnType::Timestamp => timestamp(out, cell),
        ColumnType::Date => date(out, cell),
        ColumnType::Bytes => bytes(out, cell),
        ColumnType::Text | ColumnType::Json => Err(wrong("text and json are written elsewhere")),
    }
}

const fn wrong(hint: &'static str) -> ValueError {
    ValueError::Type { hint }
}

fn integer(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    match cell {
        Cell::Integer(value) if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&value) => {
            write_integer(out, value);
            Ok(())
        }
        Cell::Integer(_) => Err(ValueError::Range {
            hint: "an integer is within ±(2^53−1); declare the column bigint",
        }),
        _ => Err(wrong(
            "an integer is stored as one; cast the column in the query, or declare what it holds",
        )),
    }
}

fn bigint(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    out.push(b'"');
    match cell {
        Cell::Integer(value) => write_integer(out, value),
        Cell::Text(text) if is_decimal(text) && !text.contains(&b'.') => {
            out.extend_from_slice(text)
        }
        _ => {
            return Err(wrong(
                "a bigint is stored as an integer, or as text of digits without leading zeros",
            ));
        }
    }
    out.push(b'"');
    Ok(())
}

/// Text stays as it is written, zeros at the end included. A double is written with the fewest digits that denote it: what was stored as
/// 0.99 is `"0.99"`.
fn decimal(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    out.push(b'"');
    match cell {
        Cell::Integer(value) => write_integer(out, value),
        Cell::Double(value) => {
            let start = out.len();
            if !write_double(out, value) {
                return Err(ValueError::Range {
                    hint: "a decimal is finite",
                });
            }
            if out.get(start..).unwrap_or_default().contains(&b'e') {
                out.truncate(start);
                out.extend_from_slice(value.to_string().as_bytes());
            }
        }
        Cell::Text(text) if is_decimal(text) => out.extend_from_slice(text),
        _ => {
            return Err(wrong(
                "a decimal is stored as a number, or as text like -12.50",
            ));
        }
    }
    out.push(b'"');
    Ok(())
}

/// `-?(0|[1-9][0-9]*)(\.[0-9]+)?`, and not `-0`.
fn is_decimal(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let mut parts = unsigned.splitn(2, |&byte| byte == b'.');
    let digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let integer = parts.next().unwrap_or_default();
    text.len() <= MAX_DIGITS
        && digits(integer)
        && (integer.len() == 1 || !integer.starts_with(b"0"))
        && parts.next().is_none_or(digits)
        && text != b"-0"
}

fn float(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    let written = match cell {
        Cell::Double(value) => write_double(out, value),
        Cell::Integer(value) if (-MAX_SAFE_INTEGER..=MAX_SAFE_INTEGER).contains(&value) => {
            write_integer(out, value);
            true
        }
        Cell::Integer(_) => false,
        _ => return Err(wrong("a float is stored as a number")),
    };
    if written {
        Ok(())
    } else {
        Err(ValueError::Range {
            hint: "a float is finite, and an integer in its place within ±(2^53−1)",
        })
    }
}

fn boolean(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    let word: &[u8] = match cell {
        Cell::Bool(true) | Cell::Integer(1) => b"true",
        Cell::Bool(false) | Cell::Integer(0) => b"false",
        _ => return Err(wrong("a bool is stored as 0 or 1")),
    };
    out.extend_from_slice(word);
    Ok(())
}

fn uuid(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    const HINT: ValueError = wrong("a uuid is stored as text with hyphens, or as 16 bytes");
    let uuid = match cell {
        Cell::Text(text) if text.len() == 36 => {
            uuid::Uuid::try_parse_ascii(text).map_err(|_| HINT)?
        }
        Cell::Bytes(bytes) => uuid::Uuid::from_slice(bytes).map_err(|_| HINT)?,
        _ => return Err(HINT),
    };
    out.push(b'"');
    out.extend_from_slice(
        uuid.as_hyphenated()
            .encode_lower(&mut uuid::Uuid::encode_buffer())
            .as_bytes(),
    );
    out.push(b'"');
    Ok(())
}

fn timestamp(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    out.push(b'"');
    match cell {
        Cell::Text(text) if write_timestamp(out, text) => {}
        Cell::Timestamp(micros) if write_timestamp_micros(out, micros) => {}
        Cell::Timestamp(_) => return Err(YEARS),
        _ => {
            return Err(wrong(
                "a timestamp is text, `YYYY-MM-DD HH:MM:SS` or RFC 3339; write datetime(column, 'unixepoch') in the query for Unix seconds",
            ));
        }
    }
    out.push(b'"');
    Ok(())
}

fn date(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    out.push(b'"');
    match cell {
        Cell::Text(text) if write_date(out, text) => {}
        Cell::Date(days) if write_date_days(out, days) => {}
        Cell::Date(_) => return Err(YEARS),
        _ => {
            return Err(wrong(
                "a date is text, `YYYY-MM-DD`; write date(column) in the query for a time",
            ));
        }
    }
    out.push(b'"');
    Ok(())
}

fn bytes(out: &mut Vec<u8>, cell: Cell<'_>) -> Result<(), ValueError> {
    let Cell::Bytes(bytes) = cell else {
        return Err(wrong("bytes are stored as a blob"));
    };
    if bytes.len() > MAX_CELL {
        return Err(ValueError::TooLarge);
    }
    let start = out.len() + 1;
    let length = bytes.len().div_ceil(3) * 4;
    out.resize(start + length + 1, b'"');
    if let Some(space) = out.get_mut(start..start + length) {
        STANDARD
            .encode_slice(bytes, space)
            .map_err(|_| ValueError::TooLarge)?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "value_tests.rs"]
mod tests;
