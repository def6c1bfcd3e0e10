//! Operators: what they do, who may, and what is left in the logs of it.

mod acts;
mod command_line;
mod denied;
mod exports;
mod purge;
mod reads;
mod tenants;

use serde_json::{Value, json};

use crate::support::{Answer, Client};

/// Does something and expects the event that records it.
pub(crate) async fn done(operator: &Client, path: &str, kind: &str) -> Value {
    let act = order(operator, path).await.expect(200).json();
    assert_eq!(act["changed"], true, "{act}");
    assert_eq!(act["event"]["type"], kind, "{act}");
    let by = act["event"]["principal"].as_str().unwrap();
    assert!(by.starts_with("op-"), "{act}");
    act
}

/// Does it again and expects that nothing was written.
pub(crate) async fn unchanged(operator: &Client, path: &str) {
    let act = order(operator, path).await.expect(200).json();
    assert_eq!(
        (&act["changed"], &act["event"]),
        (&json!(false), &Value::Null)
    );
}

/// Asks for something that needs nothing but a reason.
pub(crate) async fn order(operator: &Client, path: &str) -> Answer {
    let path = format!("/api/operator{path}");
    operator.post(&path, json!({"reason": WHY})).await
}

/// A reason that names somebody, as reasons do; it must be in no event.
pub(crate) const WHY: &str = "Ada Lovelace rang us up";
