//! Finds the parameters of a query in its text, past quotes and comments, without asking a database.

use std::collections::BTreeSet;

use crate::export::source::postgres::parameters::Numbered;

/// What stands in a query where a value is bound.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Parameter {
    /// `:name`.
    Named(String),
    /// Any other form: `?`, `?1`, `@name`, `$name`, as written.
    Other(String),
}

/// The parameters of a query that PostgreSQL is to read, whose quotes and operators are others.
pub(super) fn parameters_of_postgres(query: &str) -> BTreeSet<Parameter> {
    let Numbered { names, others, .. } = Numbered::of(query);
    let named = names.into_iter().map(Parameter::Named);
    named
        .chain(others.into_iter().map(Parameter::Other))
        .collect()
}

/// The parameters of `query`, for SQLite.
pub(super) fn parameters(query: &str) -> BTreeSet<Parameter> {
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '\'' | '"' | '`' => quoted(rest, first),
            '[' => rest.find(']').map_or(rest.len(), |end| end + 1),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            // PostgreSQL's cast.
            ':' if rest.starts_with("::") => 2,
            ':' | '@' | '$' | '?' => {
                let name = word(rest.get(1..).unwrap_or_default());
                let whole = rest.get(..1 + name).unwrap_or_default();
                match first {
                    ':' if name > 0 => {
                        found.insert(Parameter::Named(whole.trim_start_matches(':').to_owned()))
                    }
                    '?' => found.insert(Parameter::Other(whole.to_owned())),
                    _ if name > 0 => found.insert(Parameter::Other(whole.to_owned())),
                    _ => false,
                };
                1 + name
            }
            _ => match word(rest) {
                0 => first.len_utf8(),
                name => name,
            },
        };
        rest = rest.get(length..).unwrap_or_default();
    }
    found
}

/// The length of the quoted text that `rest` begins with; a doubled quote stands for itself.
fn quoted(rest: &str, quote: char) -> usize {
    let mut end = 1;
    while let Some(at) = rest.get(end..).and_then(|tail| tail.find(quote)) {
        end += at + 1;
        match rest.get(end..) {
            Some(tail) if tail.starts_with(quote) => end += 1,
            _ => return end,
        }
    }
    rest.len()
}

/// The length of the identifier that `rest` begins with. `$` is part of one, as in SQLite and PostgreSQL.
fn word(rest: &str) -> usize {
    rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(query: &str) -> Vec<String> {
        parameters(query)
            .into_iter()
            .map(|parameter| match parameter {
                Parameter::Named(name) => format!(":{name}"),
                Parameter::Other(text) => text,
            })
            .collect()
    }

    #[test]
    fn parameters_are_found_where_values_are_bound() {
        assert_eq!(
            names("select * from t where a = :tenant and b=:scope"),
            [":scope", ":tenant"]
        );
        assert_eq!(
            names("select ?, ?12, @x, $y, :tenant_id"),
            [":tenant_id", "$y", "?", "?12", "@x"]
        );
    }

    #[test]
    fn quotes_comments_and_casts_hold_none() {
        for query in [
            "select ':tenant'",
            "select 'it''s :tenant'",
            "select \":tenant\"",
            "select `:tenant`",
            "select [:tenant]",
            "select 1 -- :tenant",
            "select 1 /* :tenant */",
            "select 1 /* :tenant",
            "select ':tenant",
            "select now()::date",
            "select a$b",
            "select 1 : 2",
        ] {
            assert_eq!(names(query), Vec::<String>::new(), "{query}");
        }
        assert_eq!(
            names("select 'x' -- it's\n where a = :tenant /* ' */ and b = :scope"),
            [":scope", ":tenant"]
        );
    }
}
