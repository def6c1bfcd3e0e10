//! Canonical JSON as [RFC 8785] defines it (JCS), written straight into byte buffers.
//!
//! - [`string`]: string literals, and the order of keys
//! - [`number`]: numbers in ECMAScript's form, and whether a literal survives as one
//! - [`json`]: whole documents, read strictly and written again in canonical form
//!
//! [RFC 8785]: https://www.rfc-editor.org/rfc/rfc8785

pub mod json;
pub mod number;
mod reader;
pub mod string;

#[cfg(test)]
mod oracle_tests;
