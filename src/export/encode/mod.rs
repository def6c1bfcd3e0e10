//! From a row to a canonical JSON object.
//!
//! What can be decided once is decided before the first row: which columns are written, in which order, how each is checked. Rows are then
//! appended to a buffer, and no cell costs an allocation unless something is found in it.

use aws_lc_rs::hmac;
use carnet_events::ids::TenantId;

use super::canonical::string::{compare_keys, write_string};
use super::catalog::{Column, ColumnType, Rule, Rules};
use super::detect::Counts;
use super::error::{ExportError, ValueError};
use super::source::{Cell, MAX_CELL, MAX_ROW, Row};

mod identity;
mod text;
pub mod time;
mod value;

use identity::Identity;
use text::{Scan, TextWriter, write_masked};

/// The key that a tenant's `hash` columns are hashed with.
pub struct HashKey {
    id: String,
    key: hmac::Key,
}

impl HashKey {
    /// The key with this id, which stands beside every hash.
    #[must_use]
    pub fn new(id: &str, key: &[u8; 32]) -> Self {
        Self {
            id: id.to_owned(),
            key: hmac::Key::new(hmac::HMAC_SHA256, key),
        }
    }

    /// Appends `hmac-sha256:<key id>:<hex>` as a JSON string.
    fn write(&self, out: &mut Vec<u8>, value: &[u8]) {
        let tag = hmac::sign(&self.key, value);
        write_string(
            out,
            &format!("hmac-sha256:{}:{}", self.id, hex::encode(tag.as_ref())),
        );
    }
}

/// Encodes the rows of one category for one tenant.
pub struct RowEncoder<'a> {
    category: &'a str,
    /// The columns that are written, in the order they are written in.
    fields: Vec<Field<'a>>,
    /// Compared on every row.
    identities: Vec<Identity>,
    hash: &'a HashKey,
    text: TextWriter,
    /// A value on its way to being masked or hashed.
    scratch: Vec<u8>,
}

struct Field<'a> {
    column: &'a Column,
    column_type: ColumnType,
    /// The column's place in the result.
    index: usize,
    /// What is written before the value: `{"key":` or `,"key":`.
    lead: Vec<u8>,
}

impl<'a> RowEncoder<'a> {
    /// An encoder for the result whose columns are `names`.
    ///
    /// # Errors
    /// [`ExportError::SchemaDrift`] when those are not the catalog's.
    pub fn new(
        rules: &'a Rules,
        names: &[&str],
        tenant: &TenantId,
        subject: Option<&str>,
        hash: &'a HashKey,
    ) -> Result<Self, ExportError> {
        check_columns(rules, names)?;
        let index = |column: &str| {
            names
                .iter()
                .position(|name| *name == column)
                .ok_or(ExportError::Internal {
                    reason: "a column without a place",
                })
        };
        let mut fields = Vec::new();
        for column in rules
            .columns
            .iter()
            .filter(|column| column.rule != Rule::Drop)
        {
            let column_type = column.column_type.ok_or(ExportError::Internal {
                reason: "a column without a type",
            })?;
            fields.push(Field {
                column,
                column_type,
                index: index(&column.name)?,
                lead: Vec::new(),
            });
        }
        fields.sort_by(|a, b| compare_keys(&a.column.name, &b.column.name));
        for (at, field) in fields.iter_mut().enumerate() {
            field.lead.push(if at == 0 { b'{' } else { b',' });
            write_string(&mut field.lead, &field.column.name);
            field.lead.push(b':');
        }
        let mut identities = Vec::new();
        let expected = [
            (&rules.tenant_column, Some(tenant.as_str())),
            (&rules.subject_column, subject),
        ];
        for (column, expected) in expected {
            if let (Some(column), Some(expected)) = (column, expected) {
                identities.push(Identity::new(column, index(column)?, expected));
            }
        }
        Ok(Self {
            category: &rules.id,
            fields,
            identities,
            hash,
            text: TextWriter::default(),
            scratch: Vec::new(),
        })
    }

    /// Appends a row. After an error the buffer's tail is to be thrown away.
    ///
    /// # Errors
    /// [`ExportError::IsolationViolation`], and whatever is wrong with a value.
    pub fn encode(&mut self, row: &dyn Row, out: &mut Vec<u8>) -> Result<(), ExportError> {
        for identity in &self.identities {
            if !identity.is(row) {
                return Err(ExportError::IsolationViolation {
                    category: self.category.to_owned(),
                    column: identity.column.clone(),
                });
            }
        }
        let row_start = out.len();
        for field in &self.fields {
            out.extend_from_slice(&field.lead);
            let start = out.len();
            let cell = row.cell(field.index);
            let written = write_field(
                field,
                cell,
                &mut self.text,
                &mut self.scratch,
                self.hash,
                out,
            );
            let bounded = if out.len() - start > MAX_CELL + 2 {
                Err(ValueError::TooLarge)
            } else {
                Ok(())
            };
            written.and(bounded).map_err(|problem| ExportError::Value {
                category: self.category.to_owned(),
                column: field.column.name.clone(),
                problem,
            })?;
            if out.len() - row_start > MAX_ROW {
                return Err(ExportError::RowTooLarge {
                    category: self.category.to_owned(),
                    column: Some(field.column.name.clone()),
                });
            }
        }
        out.push(b'}');
        Ok(())
    }

    /// What was found and replaced so far, and how many values were neutralised.
    #[must_use]
    pub fn counts(&self) -> (Counts, u64) {
        self.text.counts()
    }
}

/// Null stays null under every rule.
fn write_field(
    field: &Field<'_>,
    cell: Cell<'_>,
    text: &mut TextWriter,
    scratch: &mut Vec<u8>,
    hash: &HashKey,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    match cell {
        Cell::Null => {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        Cell::Refused(problem) => return Err(problem),
        _ => {}
    }
    match field.column.rule {
        Rule::Keep => write_value(field.column_type, cell, Scan::No, text, out),
        Rule::Scan { email } => {
            write_value(field.column_type, cell, Scan::Yes { email }, text, out)
        }
        Rule::Mask { keep_last } => {
            plain(field.column_type, cell, scratch)?;
            let value = std::str::from_utf8(scratch).map_err(|_| ValueError::Utf8)?;
            write_masked(out, value, keep_last);
            Ok(())
        }
        Rule::Hash => {
            plain(field.column_type, cell, scratch)?;
            hash.write(out, scratch);
            Ok(())
        }
        Rule::Drop => Ok(()),
    }
}

fn write_value(
    column_type: ColumnType,
    cell: Cell<'_>,
    scan: Scan,
    text: &mut TextWriter,
    out: &mut Vec<u8>,
) -> Result<(), ValueError> {
    match (column_type, cell) {
        (ColumnType::Text, Cell::Text(bytes)) => text.text(out, bytes, scan),
        (ColumnType::Json, Cell::Text(bytes)) => text.json(out, bytes, scan),
        (ColumnType::Text | ColumnType::Json, _) => Err(ValueError::Type {
            hint: "text and json are stored as text; cast the column in the query, or declare what it holds",
        }),
        _ => value::write(out, column_type, cell),
    }
}

/// The value as plain text without quotes, checked like any other: what is masked and hashed.
fn plain(column_type: ColumnType, cell: Cell<'_>, scratch: &mut Vec<u8>) -> Result<(), ValueError> {
    scratch.clear();
    if let (ColumnType::Text, Cell::Text(bytes)) = (column_type, cell) {
        if bytes.len() > MAX_CELL {
            return Err(ValueError::TooLarge);
        }
        std::str::from_utf8(bytes).map_err(|_| ValueError::Utf8)?;
        scratch.extend_from_slice(bytes);
        return Ok(());
    }
    // A throw-away writer: what is hashed whole is neither neutralised nor counted.
    write_value(
        column_type,
        cell,
        Scan::No,
        &mut TextWriter::default(),
        scratch,
    )?;
    if column_type != ColumnType::Json && scratch.first() == Some(&b'"') {
        scratch.pop();
        scratch.remove(0);
    }
    Ok(())
}

/// Every column is known, none is missing, none comes twice.
fn check_columns(rules: &Rules, names: &[&str]) -> Result<(), ExportError> {
    let (unknown, missing) = drift(rules, names);
    if unknown.is_empty() && missing.is_empty() {
        return Ok(());
    }
    Err(ExportError::SchemaDrift {
        category: rules.id.clone(),
        unknown,
        missing,
    })
}

/// The result's columns that the catalog doesn't know, or that come twice, and the catalog's that the result lacks.
#[must_use]
pub fn drift(rules: &Rules, names: &[&str]) -> (Vec<String>, Vec<String>) {
    let known = |name: &str| rules.columns.iter().any(|column| column.name == name);
    let twice = |at: usize, name: &str| names.iter().take(at).any(|earlier| *earlier == name);
    let unknown = names
        .iter()
        .enumerate()
        .filter(|(at, name)| !known(name) || twice(*at, name))
        .map(|(_, name)| (*name).to_owned());
    let missing = rules
        .columns
        .iter()
        .filter(|column| !names.contains(&column.name.as_str()))
        .map(|column| column.name.clone());
    (unknown.collect(), missing.collect())
}

#[cfg(test)]
#[path = "encode_tests.rs"]
mod tests;
