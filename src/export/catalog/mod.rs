//! The catalog: what may be exported, column by column, and under which rules.

mod column;
mod config;

pub use column::{Class, Column, ColumnType, Detect, Rule, RuleName};
pub use config::{CategoryConfig, ColumnConfig, SourceConfig};
