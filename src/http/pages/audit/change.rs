//! What is different between two states, field by field.

use std::collections::BTreeMap;

use serde_json::Value;

use super::super::words::audit as words;

/// What became of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Same,
    Added,
    Changed,
    Removed,
}

/// A field of the state.
#[derive(Debug, PartialEq)]
pub(super) struct Row {
    /// Its place, with dots.
    pub(super) path: String,
    pub(super) value: Value,
    /// What it was, where it has changed.
    pub(super) was: Option<Value>,
    pub(super) change: Change,
}

impl Change {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Same => "",
            Self::Added => words::ADDED,
            Self::Changed => words::CHANGED,
            Self::Removed => words::REMOVED,
        }
    }
}

/// Where fields stand: what moves first, what was asked for last.
const ORDER: [&str; 4] = ["stage", "attempt", "failures", "losses"];

/// Every field of `after`, and those of `before` that are gone. Without a state before, nothing counts as new: the first
/// event makes all of it.
pub(super) fn compare(before: Option<&Value>, after: &Value) -> Vec<Row> {
    let is_first = before.is_none();
    let mut old = before.map(fields).unwrap_or_default();
    let mut rows: Vec<Row> = fields(after)
        .into_iter()
        .map(|(path, value)| {
            let was = old.remove(&path);
            let change = match &was {
                None if is_first => Change::Same,
                None => Change::Added,
                Some(was) if *was == value => Change::Same,
                Some(_) => Change::Changed,
            };
            let was = was.filter(|_| change == Change::Changed);
            Row {
                path,
                value,
                was,
                change,
            }
        })
        .collect();
    rows.extend(old.into_iter().map(|(path, value)| Row {
        path,
        value,
        was: None,
        change: Change::Removed,
    }));
    rows.sort_by_key(|row| (rank(&row.path), row.path.clone()));
    rows
}

fn rank(path: &str) -> usize {
    let first = path.split('.').next().unwrap_or(path);
    if first == "request" {
        return usize::MAX;
    }
    let place = ORDER.iter().position(|name| *name == first);
    place.unwrap_or(ORDER.len())
}

/// The leaves of an object by their paths; a list is a leaf.
fn fields(value: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), value)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) if !members.is_empty() => {
                let inner = |name: &String| match path.is_empty() {
                    true => name.clone(),
                    false => format!("{path}.{name}"),
                };
                open.extend(members.iter().map(|(name, value)| (inner(name), value)));
            }
            leaf => {
                found.insert(path, leaf.clone());
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(before: Option<&Value>, after: &Value) -> Vec<(String, Change)> {
        let rows = compare(before, after);
        rows.into_iter().map(|row| (row.path, row.change)).collect()
    }

    #[test]
    fn what_came_went_and_changed_is_told_by_field() {
        let before = json!({"stage": {"queued": {"since": 1}}, "attempt": 0, "request": {"kind": "account", "layers": []}});
        let after = json!({"stage": {"running": {"alive_at": 2}}, "attempt": 1, "request": {"kind": "account", "layers": []}});
        let path = |text: &str| text.to_owned();
        assert_eq!(
            told(Some(&before), &after),
            [
                (path("stage.queued.since"), Change::Removed),
                (path("stage.running.alive_at"), Change::Added),
                (path("attempt"), Change::Changed),
                (path("request.kind"), Change::Same),
                (path("request.layers"), Change::Same),
            ]
        );
        let rows = compare(Some(&before), &after);
        let attempt = rows.iter().find(|row| row.path == "attempt");
        assert_eq!(attempt.and_then(|row| row.was.clone()), Some(json!(0)));
    }

    #[test]
    fn the_first_state_is_not_a_change() {
        let state = json!({"attempt": 0});
        assert_eq!(told(None, &state), [("attempt".to_owned(), Change::Same)]);
        assert_eq!(
            told(Some(&state), &state),
            [("attempt".to_owned(), Change::Same)]
        );
    }
}
