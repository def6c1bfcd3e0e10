//! Which of PostgreSQL's types are read, how, and what a column of each may be declared as.
//!
//! | PostgreSQL | declared as | written as |
//! |---|---|---|
//! | `boolean` | bool | `true`, `false` |
//! | `smallint` `integer` `bigint` `oid` | integer, bigint, decimal, float | a number; `"…"` as bigint and decimal |
//! | `numeric` | decimal, bigint, text | `"…"`, with its scale; NaN and infinity fail |
//! | `real` `double precision` | float, decimal | the fewest digits that denote it; NaN and infinity fail |
//! | `text` `varchar` `char` `name` `citext`, enums | text, and whatever the text is a form of | as it is |
//! | `json` `jsonb` | json, text | canonical JSON |
//! | `uuid` | uuid | lower case, with hyphens |
//! | `timestamptz` | timestamp | RFC 3339 in UTC; infinity fails |
//! | `timestamp` | timestamp | the same, taken to be UTC; write `column at time zone 'Europe/Paris'` where it isn't |
//! | `date` | date | `YYYY-MM-DD`; infinity fails |
//! | `bytea` | bytes, uuid | base64 |
//! | `time` `timetz` | text | `HH:MM:SS.ffffff`, `…+02` |
//! | `interval` | text | ISO 8601: `P1Y2M3DT4H5M6.7S` |
//! | `inet` `cidr` `macaddr` `macaddr8` `bit` `varbit` | text | as PostgreSQL shows them |
//! | arrays of these | json | an array of what stands here (integers as numbers); of arrays, if it has more dimensions |
//! | domains | as the type beneath | |
//! | anything else | | `column::text` in the query, or `to_jsonb(column)` for rows |

use tokio_postgres::types::{Kind, Type};

use crate::export::catalog::ColumnType;

/// How a column's values are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Form {
    Bool,
    Int2,
    Int4,
    Int8,
    Oid,
    Float4,
    Float8,
    Numeric,
    Text,
    Json,
    Jsonb,
    Bytes,
    Uuid,
    Timestamp,
    Date,
    Time,
    TimeWithOffset,
    Interval,
    Address,
    Mac,
    Bits,
    Array(Box<Self>),
    /// Of no form known here: nothing is guessed.
    Unknown,
}

impl Form {
    /// The form of a type's values.
    pub(super) fn of(kind: &Type) -> Self {
        match *kind {
            Type::BOOL => Self::Bool,
            Type::INT2 => Self::Int2,
            Type::INT4 => Self::Int4,
            Type::INT8 => Self::Int8,
            Type::OID => Self::Oid,
            Type::FLOAT4 => Self::Float4,
            Type::FLOAT8 => Self::Float8,
            Type::NUMERIC => Self::Numeric,
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => Self::Text,
            Type::JSON => Self::Json,
            Type::JSONB => Self::Jsonb,
            Type::BYTEA => Self::Bytes,
            Type::UUID => Self::Uuid,
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Self::Timestamp,
            Type::DATE => Self::Date,
            Type::TIME => Self::Time,
            Type::TIMETZ => Self::TimeWithOffset,
            Type::INTERVAL => Self::Interval,
            Type::INET | Type::CIDR => Self::Address,
            Type::MACADDR | Type::MACADDR8 => Self::Mac,
            Type::BIT | Type::VARBIT => Self::Bits,
            _ => match kind.kind() {
                Kind::Enum(_) => Self::Text,
                Kind::Domain(beneath) => Self::of(beneath),
                Kind::Array(element) => match Self::of(element) {
                    Self::Unknown | Self::Array(_) => Self::Unknown,
                    element => Self::Array(Box::new(element)),
                },
                // An extension's; its values travel as text, under whichever oid it got.
                Kind::Simple if kind.name() == "citext" => Self::Text,
                _ => Self::Unknown,
            },
        }
    }

    /// What a column of this form may be declared as.
    pub(super) const fn suits(&self) -> &'static [ColumnType] {
        use ColumnType::{
            Bigint, Bool, Bytes, Date, Decimal, Float, Integer, Json, Text, Timestamp, Uuid,
        };
        match self {
            Self::Bool => &[Bool],
            Self::Int2 | Self::Int4 | Self::Int8 | Self::Oid => {
                &[Integer, Bigint, Decimal, Float, Bool]
            }
            Self::Float4 | Self::Float8 => &[Float, Decimal],
            Self::Numeric => &[Decimal, Bigint, Text],
            Self::Text => &[Text, Json, Uuid, Timestamp, Date, Decimal, Bigint],
            Self::Json | Self::Jsonb => &[Json, Text],
            Self::Bytes => &[Bytes, Uuid],
            Self::Uuid => &[Uuid],
            Self::Timestamp => &[Timestamp],
            Self::Date => &[Date],
            Self::Time
            | Self::TimeWithOffset
            | Self::Interval
            | Self::Address
            | Self::Mac
            | Self::Bits => &[Text],
            Self::Array(_) => &[Json],
            Self::Unknown => &[],
        }
    }
}

/// A type's name as people write it: without the schema of PostgreSQL's own.
pub(super) fn type_name(kind: &Type) -> String {
    if let Kind::Array(element) = kind.kind() {
        return format!("{}[]", type_name(element));
    }
    match kind.schema() {
        "pg_catalog" => kind.name().to_owned(),
        schema => format!("{schema}.{}", kind.name()),
    }
}
