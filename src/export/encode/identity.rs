//! Proof, row by row, that the data is the tenant's or the person's.

use super::super::source::{Cell, Row};

/// A column and what every row must have there.
pub(super) struct Identity {
    pub(super) column: String,
    index: usize,
    text: String,
    /// The same as an integer, where it is one in its only spelling.
    integer: Option<i64>,
    /// The same as a UUID, where it is one: databases differ in its case.
    uuid: Option<uuid::Uuid>,
}

impl Identity {
    pub(super) fn new(column: &str, index: usize, expected: &str) -> Self {
        Self {
            column: column.to_owned(),
            index,
            text: expected.to_owned(),
            integer: expected
                .parse::<i64>()
                .ok()
                .filter(|value| value.to_string() == expected),
            uuid: uuid::Uuid::try_parse(expected)
                .ok()
                .filter(|_| expected.len() == 36),
        }
    }

    /// Whether a row is whose it must be. Null is nobody.
    pub(super) fn is(&self, row: &dyn Row) -> bool {
        match row.cell(self.index) {
            Cell::Text(text) => {
                text == self.text.as_bytes()
                    || (text.len() == 36
                        && self.uuid.is_some()
                        && self.uuid == uuid::Uuid::try_parse_ascii(text).ok())
            }
            Cell::Integer(value) => self.integer == Some(value),
            Cell::Bytes(bytes) => self.uuid.is_some_and(|uuid| uuid.as_bytes() == bytes),
            Cell::Null
            | Cell::Bool(_)
            | Cell::Double(_)
            | Cell::Timestamp(_)
            | Cell::Date(_)
            | Cell::Refused(_) => false,
        }
    }
}
