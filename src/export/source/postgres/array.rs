//! Arrays as JSON: each element as a column of its type would be written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::fields::{BROKEN, Fields};
use super::row::{read, write_made};
use super::types::Form;
use crate::export::canonical::number::{MAX_SAFE_INTEGER, write_double, write_integer};
use crate::export::canonical::string::write_string;
use crate::export::encode::time::{write_date_days, write_timestamp_micros};
use crate::export::error::ValueError;
use crate::export::source::{Cell, MAX_CELL};

/// The most dimensions PostgreSQL has.
const MAX_DIMENSIONS: i32 = 6;

/// Appends an array as JSON text.
pub(super) fn write_array(
    out: &mut Vec<u8>,
    element: &Form,
    value: &[u8],
) -> Result<(), ValueError> {
    let mut fields = Fields::of(value);
    let dimensions = fields.i32()?;
    let (_has_nulls, _element_type) = (fields.i32()?, fields.u32()?);
    if dimensions == 0 {
        out.extend_from_slice(b"[]");
        return Ok(());
    }
    if !(1..=MAX_DIMENSIONS).contains(&dimensions) {
        return Err(BROKEN);
    }
    let mut lengths = Vec::new();
    for _ in 0..dimensions {
        lengths.push(fields.i32()?);
        if fields.i32()? != 1 {
            return Err(ValueError::Range {
                hint: "an array begins at 1, for JSON has no other; write column::text in the query",
            });
        }
    }
    let end = out.len().saturating_add(MAX_CELL);
    write_dimension(out, end, element, &lengths, &mut fields)
}

/// `end` is where the text gets too long: a number of ten bytes can have a hundred thousand digits.
fn write_dimension(
    out: &mut Vec<u8>,
    end: usize,
    element: &Form,
    lengths: &[i32],
    fields: &mut Fields<'_>,
) -> Result<(), ValueError> {
    let Some((length, inner)) = lengths.split_first() else {
        return write_element(out, element, fields);
    };
    out.push(b'[');
    for at in 0..*length {
        if at > 0 {
            out.push(b',');
        }
        write_dimension(out, end, element, inner, fields)?;
        if out.len() > end {
            return Err(ValueError::TooLarge);
        }
    }
    out.push(b']');
    Ok(())
}

fn write_element(
    out: &mut Vec<u8>,
    form: &Form,
    fields: &mut Fields<'_>,
) -> Result<(), ValueError> {
    let length = fields.i32()?;
    if length == -1 {
        out.extend_from_slice(b"null");
        return Ok(());
    }
    let value = fields.take(usize::try_from(length).map_err(|_| BROKEN)?)?;
    match read(form, value) {
        Some(Cell::Refused(problem)) => Err(problem),
        Some(Cell::Text(document)) if matches!(form, Form::Json | Form::Jsonb) => {
            out.extend_from_slice(document);
            Ok(())
        }
        Some(cell) => write_cell(out, form, cell),
        // Digits, dashes and letters: nothing that JSON would escape.
        None => {
            out.push(b'"');
            write_made(out, form, value)?;
            out.push(b'"');
            Ok(())
        }
    }
}

fn write_cell(out: &mut Vec<u8>, form: &Form, cell: Cell<'_>) -> Result<(), ValueError> {
    match cell {
        Cell::Bool(value) => out.extend_from_slice(if value { b"true" } else { b"false" }),
        Cell::Integer(value) if value.unsigned_abs() <= MAX_SAFE_INTEGER.unsigned_abs() => {
            write_integer(out, value);
        }
        Cell::Integer(_) => {
            return Err(ValueError::Range {
                hint: "an integer in an array is within ±(2^53−1); write column::text[] in the query",
            });
        }
        Cell::Double(value) => {
            if !write_double(out, value) {
                return Err(ValueError::Range {
                    hint: "a float in an array is finite",
                });
            }
        }
        Cell::Text(text) => {
            write_string(
                out,
                std::str::from_utf8(text).map_err(|_| ValueError::Utf8)?,
            );
        }
        Cell::Bytes(bytes) if *form == Form::Uuid => {
            let uuid = uuid::Uuid::from_slice(bytes).map_err(|_| BROKEN)?;
            write_string(
                out,
                uuid.as_hyphenated()
                    .encode_lower(&mut uuid::Uuid::encode_buffer()),
            );
        }
        Cell::Bytes(bytes) => write_string(out, &STANDARD.encode(bytes)),
        Cell::Timestamp(micros) => quoted(out, |out| write_timestamp_micros(out, micros))?,
        Cell::Date(days) => quoted(out, |out| write_date_days(out, days))?,
        Cell::Null => out.extend_from_slice(b"null"),
        Cell::Refused(problem) => return Err(problem),
    }
    Ok(())
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> bool) -> Result<(), ValueError> {
    out.push(b'"');
    let written = write(out);
    out.push(b'"');
    if written {
        Ok(())
    } else {
        Err(ValueError::Range {
            hint: "a time in an array is of the years 0000 to 9999; write column::text[] in the query",
        })
    }
}
