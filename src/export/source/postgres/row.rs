//! One row: what can be borrowed from the message is, the rest is written into a buffer that all rows share.

use std::ops::Range;

use tokio_postgres::types::{FromSql, Type};

use super::array::write_array;
use super::fields::{BROKEN, whole};
use super::numeric::write_numeric;
use super::texts::{
    write_address, write_bits, write_interval, write_mac, write_time, write_time_with_offset,
};
use super::types::Form;
use crate::export::error::ValueError;
use crate::export::source::{Cell, Row};

/// From PostgreSQL's first moment, 2000-01-01, back to 1970-01-01.
const EPOCH_DAYS: i32 = 10_957;
const EPOCH_MICROS: i64 = EPOCH_DAYS as i64 * 86_400_000_000;

const INFINITE: ValueError = ValueError::Range {
    hint: "a time is finite; write column::text in the query, or nullif(column, 'infinity')",
};

const UNKNOWN: ValueError = ValueError::Type {
    hint: "its type has no exact form here; write column::text in the query",
};

/// A value's bytes, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// The values of a row that aren't simply there. Kept from row to row for its memory.
pub(super) struct Made {
    forms: Vec<Form>,
    bytes: Vec<u8>,
    /// Where each column's value stands, or why there is none.
    places: Vec<Result<Range<usize>, ValueError>>,
}

impl Made {
    pub(super) fn new(forms: Vec<Form>) -> Self {
        let places = vec![Ok(0..0); forms.len()];
        Self {
            forms,
            bytes: Vec::new(),
            places,
        }
    }

    /// The row with all of its values at hand.
    pub(super) fn of<'a>(&'a mut self, row: &'a tokio_postgres::Row) -> PostgresRow<'a> {
        self.bytes.clear();
        for (column, (form, place)) in self.forms.iter().zip(&mut self.places).enumerate() {
            if !is_made(form) {
                continue;
            }
            let start = self.bytes.len();
            let written = match raw(row, column) {
                Some(value) => write_made(&mut self.bytes, form, value),
                None => Ok(()),
            };
            *place = written.map(|()| start..self.bytes.len());
        }
        PostgresRow { row, made: self }
    }
}

/// A row and what was made of it.
pub(super) struct PostgresRow<'a> {
    row: &'a tokio_postgres::Row,
    made: &'a Made,
}

impl Row for PostgresRow<'_> {
    fn cell(&self, column: usize) -> Cell<'_> {
        let (Some(value), Some(form)) = (raw(self.row, column), self.made.forms.get(column)) else {
            return Cell::Null;
        };
        read(form, value).unwrap_or_else(|| match self.made.places.get(column) {
            Some(Ok(place)) => Cell::Text(self.made.bytes.get(place.clone()).unwrap_or_default()),
            Some(Err(problem)) => Cell::Refused(*problem),
            None => Cell::Refused(BROKEN),
        })
    }
}

fn raw(row: &tokio_postgres::Row, column: usize) -> Option<&[u8]> {
    let value: Option<Raw<'_>> = row.try_get(column).ok()?;
    value.map(|Raw(bytes)| bytes)
}

const fn is_made(form: &Form) -> bool {
    matches!(
        form,
        Form::Numeric
            | Form::Time
            | Form::TimeWithOffset
            | Form::Interval
            | Form::Address
            | Form::Mac
            | Form::Bits
            | Form::Array(_)
    )
}

/// A value that can be read where it stands; none if it is one that [`write_made`] makes.
pub(super) fn read<'a>(form: &Form, value: &'a [u8]) -> Option<Cell<'a>> {
    let cell = match form {
        Form::Bool => whole(value).map(|[byte]| Cell::Bool(byte != 0)),
        Form::Int2 => whole(value).map(|bytes| Cell::Integer(i16::from_be_bytes(bytes).into())),
        Form::Int4 => whole(value).map(|bytes| Cell::Integer(i32::from_be_bytes(bytes).into())),
        Form::Int8 => whole(value).map(|bytes| Cell::Integer(i64::from_be_bytes(bytes))),
        Form::Oid => whole(value).map(|bytes| Cell::Integer(u32::from_be_bytes(bytes).into())),
        Form::Float4 => whole(value).map(|bytes| Cell::Double(widened(f32::from_be_bytes(bytes)))),
        Form::Float8 => whole(value).map(|bytes| Cell::Double(f64::from_be_bytes(bytes))),
        Form::Text | Form::Json => Ok(Cell::Text(value)),
        Form::Jsonb => match value {
            [1, document @ ..] => Ok(Cell::Text(document)),
            _ => Err(BROKEN),
        },
        Form::Bytes | Form::Uuid => Ok(Cell::Bytes(value)),
        Form::Timestamp => whole(value).and_then(|bytes| timestamp(i64::from_be_bytes(bytes))),
        Form::Date => whole(value).and_then(|bytes| date(i32::from_be_bytes(bytes))),
        Form::Unknown => Err(UNKNOWN),
        Form::Numeric
        | Form::Time
        | Form::TimeWithOffset
        | Form::Interval
        | Form::Address
        | Form::Mac
        | Form::Bits
        | Form::Array(_) => return None,
    };
    Some(cell.unwrap_or_else(Cell::Refused))
}

/// Appends a value that [`read`] has none of.
pub(super) fn write_made(out: &mut Vec<u8>, form: &Form, value: &[u8]) -> Result<(), ValueError> {
    match form {
        Form::Numeric => write_numeric(out, value),
        Form::Time => write_time(out, value),
        Form::TimeWithOffset => write_time_with_offset(out, value),
        Form::Interval => write_interval(out, value),
        Form::Address => write_address(out, value),
        Form::Mac => write_mac(out, value),
        Form::Bits => write_bits(out, value),
        Form::Array(element) => write_array(out, element, value),
        _ => Err(UNKNOWN),
    }
}

/// The double with the same shortest digits: 0.1 stays 0.1, as PostgreSQL shows it.
fn widened(value: f32) -> f64 {
    if !value.is_finite() {
        return value.into();
    }
    ryu_js::Buffer::new()
        .format_finite(value)
        .parse()
        .unwrap_or_else(|_| value.into())
}

fn timestamp(micros: i64) -> Result<Cell<'static>, ValueError> {
    if matches!(micros, i64::MIN | i64::MAX) {
        return Err(INFINITE);
    }
    // What is left out here has no year of four digits, and is refused as such.
    Ok(Cell::Timestamp(micros.saturating_add(EPOCH_MICROS)))
}

fn date(days: i32) -> Result<Cell<'static>, ValueError> {
    if matches!(days, i32::MIN | i32::MAX) {
        return Err(INFINITE);
    }
    Ok(Cell::Date(days.saturating_add(EPOCH_DAYS)))
}
