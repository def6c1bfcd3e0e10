//! Brings events of older versions up to date while they are read. The stored bytes stay as they are.

use serde_json::{Value, json};

use crate::stream::StreamKind;

/// `data` of `kind` in `version`, as the newest version has it. Steps are taken one version at a time, and
/// a step is never changed once it has been released.
pub(super) fn upcast(stream: StreamKind, kind: &str, version: u16, data: Value) -> Value {
    match (stream, kind, version) {
        (StreamKind::Export, "attempt_failed", 1) => attempt_failed_1_to_2(data),
        (StreamKind::Export, "failed", 1) => with_null(data, "principal"),
        (StreamKind::Tenant, "exemption_granted", 1) => with_null(data, "person"),
        (StreamKind::Directory, "reason_given", 1) => with_null(data, "event"),
        _ => data,
    }
}

/// Version 2 gave a failed attempt the parameters that its code's explanation is filled with.
fn attempt_failed_1_to_2(mut data: Value) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.entry("parameters").or_insert_with(|| json!({}));
    }
    data
}

/// The next version gained an optional field, of which older events know nothing.
fn with_null(mut data: Value, field: &str) -> Value {
    if let Some(fields) = data.as_object_mut() {
        fields.entry(field).or_insert(Value::Null);
    }
    data
}
