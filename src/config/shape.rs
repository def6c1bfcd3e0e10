//! Tables must be written as tables. What reads them would take a list's members, too, for the fields in their order.

use figment::value::Value as Written;
use serde_json::Value as Read;

use super::error::Complaints;
use super::load::TABLE;

/// Complains of every list that stands where a table was read from it. `read` is the configuration as it came out of
/// `written`, in the same names.
pub(super) fn check(written: &Written, read: &Read, key: &str, at: &mut Complaints<'_>) {
    let within = |name: &str| match key {
        "" => name.to_owned(),
        key => format!("{key}.{name}"),
    };
    match (written, read) {
        (Written::Array(..), Read::Object(_)) => at.add(key, "is a list", TABLE),
        (Written::Dict(_, written), Read::Object(read)) => {
            for (name, written) in written {
                if let Some(read) = read.get(name) {
                    check(written, read, &within(name), at);
                }
            }
        }
        (Written::Array(_, written), Read::Array(read)) => {
            for (index, (written, read)) in written.iter().zip(read).enumerate() {
                check(written, read, &within(&index.to_string()), at);
            }
        }
        _ => {}
    }
}
