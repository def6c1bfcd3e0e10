//! What a source says of a query before it is run, and whether the catalog agrees.

use crate::export::catalog::{Column, ColumnType, Rule};

/// What a source says of a query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The names of the result's columns, in its order.
    pub columns: Vec<String>,
    /// Their types, likewise; empty where a column may hold values of any type.
    pub types: Vec<SourceType>,
    /// The parameters, as written: `:tenant`.
    pub parameters: Vec<String>,
    /// Whether it can't change anything.
    pub read_only: bool,
}

/// A column's type in its source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceType {
    /// The source's own name for it.
    pub name: String,
    /// What a column of it may be declared as; nothing if its values can't be read exactly.
    pub suits: &'static [ColumnType],
}

/// A column that can't be declared as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// Its name.
    pub column: String,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl Shape {
    /// The columns whose type in the source isn't what they are declared as. A dropped one may be of any.
    #[must_use]
    pub fn misfits(&self, declared: &[Column]) -> Vec<Misfit> {
        let known = |name: &String| {
            declared
                .iter()
                .find(|column| column.name == *name && column.rule != Rule::Drop)
        };
        let typed = self.columns.iter().zip(&self.types);
        typed
            .filter_map(|(name, given)| given.misfit(known(name)?))
            .collect()
    }
}

impl SourceType {
    fn misfit(&self, column: &Column) -> Option<Misfit> {
        let declared = column.column_type?;
        if self.suits.contains(&declared) {
            return None;
        }
        let name = &column.name;
        let suiting: Vec<&str> = self.suits.iter().map(|suiting| suiting.name()).collect();
        Some(Misfit {
            column: name.clone(),
            problem: format!(
                "is of type {} in its source, and declared {declared}",
                self.name
            ),
            remedy: match suiting.as_slice() {
                [] => format!(
                    "that type has no exact form here: write `{name}::text as {name}` in the query and declare it text, or drop it"
                ),
                suiting => format!(
                    "declare it {}, or cast it in the query, as in `{name}::text as {name}`",
                    suiting.join(" or ")
                ),
            },
        })
    }
}
