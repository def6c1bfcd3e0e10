//! Versions that this release reads and doesn't write yet.
//!
//! While nodes are restarted one after the other, two releases work on one log, and neither may write what the other can't
//! read. So what is new is read by one release and written from the next on. Until then it stands in [`HELD`].

use serde::ser::Error as _;
use serde_json::Value;

use crate::stream::StreamKind;

/// A type's newest version, not to be written before the next release.
struct Held {
    stream: StreamKind,
    kind: &'static str,
    version: u16,
    /// The same event as the version before says it; `None`: the type is new, and nothing older says it.
    before: Option<fn(Value) -> Value>,
}

/// What this release only reads. `tests/releases` says since when, and fails when something is missing here.
const HELD: &[Held] = &[];

/// The version in which an event is written, and its data in that version.
///
/// # Errors
/// When the type is too new to be written at all.
pub(super) fn written(
    stream: StreamKind,
    kind: &str,
    newest: u16,
    data: Vec<u8>,
) -> serde_json::Result<(u16, Vec<u8>)> {
    written_but(HELD, stream, kind, newest, data)
}

fn written_but(
    held: &[Held],
    stream: StreamKind,
    kind: &str,
    newest: u16,
    data: Vec<u8>,
) -> serde_json::Result<(u16, Vec<u8>)> {
    let this = |one: &&Held| (one.stream, one.kind, one.version) == (stream, kind, newest);
    let Some(one) = held.iter().find(this) else {
        return Ok((newest, data));
    };
    let before = one.before.ok_or_else(|| {
        serde_json::Error::custom(format!(
            "`{kind}` is written from the next release on: the one before this can't read it"
        ))
    })?;
    let older = before(serde_json::from_slice(&data)?);
    Ok((newest - 1, serde_json::to_vec(&older)?))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn without_note(mut data: Value) -> Value {
        data.as_object_mut().unwrap().remove("note");
        data
    }

    #[test]
    fn what_is_held_back_is_written_as_the_release_before_reads_it() {
        let one = |version, before| Held {
            stream: StreamKind::Export,
            kind: "expired",
            version,
            before,
        };
        let data = || br#"{"at":7,"note":"new"}"#.to_vec();
        let write = |held: &[Held], version| {
            written_but(held, StreamKind::Export, "expired", version, data())
        };
        let held = [one(2, Some(without_note as fn(Value) -> Value))];
        assert_eq!(
            write(&held, 2).unwrap(),
            (1, br#"{"at":7}"#.to_vec()),
            "the version before"
        );
        assert_eq!(write(&held, 1).unwrap(), (1, data()), "another version");
        let other = written_but(&held, StreamKind::Tenant, "expired", 2, data());
        assert_eq!(other.unwrap(), (2, data()), "another stream's type");
        assert!(write(&[one(1, None)], 1).is_err(), "a type that is new");
    }
}
