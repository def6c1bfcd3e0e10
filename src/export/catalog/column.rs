//! What a column may hold and what may be done with it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The type of a column's values; decides how they are checked and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ColumnType {
    /// A JSON number within ±(2^53−1); stored as an integer.
    Integer,
    /// An integer of any size, written as a string; stored as an integer or as text of digits.
    Bigint,
    /// A decimal, written as a string. Text like `-12.50` stays as it is; a stored double is written with the fewest digits that denote it,
    /// without an exponent: 0.99 is `"0.99"`.
    Decimal,
    /// A finite double, in ECMAScript form. (SQLite stores NaN as null.)
    Float,
    /// `true` or `false`; stored as 0 or 1 where the source has no truth values.
    Bool,
    /// Free text.
    Text,
    /// A UUID, lower case with hyphens; stored as text with hyphens or as 16 bytes.
    Uuid,
    /// A point in time, RFC 3339 in UTC with milliseconds, or six or nine digits where fewer would lose some. Stored as text:
    /// `YYYY-MM-DD HH:MM:SS[.fff]` (UTC) or RFC 3339. Numbers are refused: nobody can tell seconds from milliseconds.
    Timestamp,
    /// A calendar date; stored as text, `YYYY-MM-DD`.
    Date,
    /// A JSON document, re-canonicalised; stored as text.
    Json,
    /// Bytes, in base64; stored as a blob.
    Bytes,
}

impl ColumnType {
    /// Every type, in the order the documentation lists them.
    pub const ALL: [Self; 11] = [
        Self::Integer,
        Self::Bigint,
        Self::Decimal,
        Self::Float,
        Self::Bool,
        Self::Text,
        Self::Uuid,
        Self::Timestamp,
        Self::Date,
        Self::Json,
        Self::Bytes,
    ];

    /// The word used in configuration, policies and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Integer => "integer",
            Self::Bigint => "bigint",
            Self::Decimal => "decimal",
            Self::Float => "float",
            Self::Bool => "bool",
            Self::Text => "text",
            Self::Uuid => "uuid",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Json => "json",
            Self::Bytes => "bytes",
        }
    }

    /// Whether people or programs put arbitrary text there.
    #[must_use]
    pub const fn is_free_form(self) -> bool {
        matches!(self, Self::Text | Self::Json)
    }
}

impl fmt::Display for ColumnType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The word for a rule, before its parameters are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RuleName {
    /// As it is.
    Keep,
    /// With what the detectors find replaced.
    Scan,
    /// Stars instead of characters.
    Mask,
    /// A keyed hash instead of the value.
    Hash,
    /// Not at all.
    Drop,
}

impl RuleName {
    /// The word used in configuration, policies and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Scan => "scan",
            Self::Mask => "mask",
            Self::Hash => "hash",
            Self::Drop => "drop",
        }
    }
}

impl fmt::Display for RuleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a column is declared to hold, so that no rule can let it out by mistake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A raw conversation transcript.
    Transcript,
    /// A field encrypted by the application.
    Ciphertext,
    /// Bucket names, object keys and other storage internals.
    Storage,
    /// A raw configuration file.
    RawConfig,
    /// A password, key or token.
    Secret,
    /// A phone number.
    Phone,
    /// An e-mail address.
    Email,
}

impl Class {
    /// The word used in configuration, policies and errors.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Transcript => "transcript",
            Self::Ciphertext => "ciphertext",
            Self::Storage => "storage",
            Self::RawConfig => "raw_config",
            Self::Secret => "secret",
            Self::Phone => "phone",
            Self::Email => "email",
        }
    }

    /// The rules that keep such a value out of an artifact.
    #[must_use]
    pub const fn allowed_rules(self) -> &'static [RuleName] {
        match self {
            Self::Phone | Self::Email => &[RuleName::Drop, RuleName::Mask, RuleName::Hash],
            Self::Transcript
            | Self::Ciphertext
            | Self::Storage
            | Self::RawConfig
            | Self::Secret => &[RuleName::Drop],
        }
    }
}

/// A detector that runs only where a column asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Detect {
    /// E-mail addresses.
    Email,
}

/// A rule with its parameters, as compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// Written as it is (text and json are still neutralised).
    Keep,
    /// Written with every detected secret replaced; e-mail addresses too if asked for.
    Scan {
        /// Whether e-mail addresses are replaced as well.
        email: bool,
    },
    /// Written as `***`, followed by the last characters if any are kept.
    Mask {
        /// How many characters stay readable.
        keep_last: u8,
    },
    /// Written as `hmac-sha256:<key id>:<hex>`.
    Hash,
    /// Not written.
    Drop,
}

impl Rule {
    /// Its word.
    #[must_use]
    pub const fn name(&self) -> RuleName {
        match self {
            Self::Keep => RuleName::Keep,
            Self::Scan { .. } => RuleName::Scan,
            Self::Mask { .. } => RuleName::Mask,
            Self::Hash => RuleName::Hash,
            Self::Drop => RuleName::Drop,
        }
    }
}

/// One column of a category, as compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name in the query's result and its key in every row.
    pub name: String,
    /// The type of its values; `None` only for dropped columns.
    pub column_type: Option<ColumnType>,
    /// What happens to its values.
    pub rule: Rule,
    /// What it was declared to hold.
    pub class: Option<Class>,
    /// Why text or json is kept unscanned.
    pub why: Option<String>,
}
