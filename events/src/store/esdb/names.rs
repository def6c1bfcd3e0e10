//! How our streams are called on a server that others may use too.
//!
//! Every name of ours stands behind `{namespace}.`, so that one filter of the server's admits our events and nothing else.
//! What the store needs for itself stands behind `{namespace}+`, which that filter doesn't admit.

use crate::stream::StreamName;

/// The type of the record with which the server marks an erased stream.
const TOMBSTONE: &str = "$streamDeleted";

/// The names of one namespace.
#[derive(Debug, Clone)]
pub(super) struct Names {
    prefix: String,
    own: String,
}

impl Names {
    pub(super) fn new(namespace: &str) -> Self {
        Self {
            prefix: format!("{namespace}."),
            own: format!("{namespace}+"),
        }
    }

    /// What every stream of events begins with.
    pub(super) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// A stream as the server knows it.
    pub(super) fn on_server(&self, name: &StreamName) -> String {
        format!("{}{name}", self.prefix)
    }

    /// The stream whose first event marks where the namespace begins.
    pub(super) fn mark(&self) -> String {
        format!("{}store", self.own)
    }

    /// The stream that probes are written to.
    pub(super) fn probes(&self) -> String {
        format!("{}probe", self.own)
    }

    /// The stream whose first event seals the log, and whose last one says why.
    pub(super) fn seal(&self) -> String {
        format!("{}seal", self.own)
    }

    /// The stream that tells which streams are to be erased.
    pub(super) fn erasures(&self) -> String {
        format!("{}erasures", self.own)
    }

    /// The stream of ours that an event of the server belongs to; `None` for a tombstone and whatever isn't ours.
    pub(super) fn ours(&self, stream: &[u8], kind: &str) -> Option<StreamName> {
        let name = std::str::from_utf8(stream).ok()?;
        let name = name.strip_prefix(&self.prefix)?.parse().ok()?;
        (kind != TOMBSTONE).then_some(name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn ours_are_told_from_others_and_from_what_the_store_needs() {
        let names = Names::new("a");
        let name: StreamName = "export-1".parse().unwrap();
        let on_server = names.on_server(&name);
        assert_eq!(names.ours(on_server.as_bytes(), "requested"), Some(name));
        assert_eq!(names.ours(on_server.as_bytes(), TOMBSTONE), None);
        for other in [
            "a-b.export-1",
            "ab.x",
            "$$a.x",
            &names.mark(),
            &names.probes(),
            "a.",
            "a.ü",
        ] {
            assert_eq!(names.ours(other.as_bytes(), "x"), None, "{other}");
        }
    }
}
