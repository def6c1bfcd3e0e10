//! Ids and secrets.

use carnet_events::ids::{ExportId, Timestamp};
use uuid::{Builder, Uuid};

/// The one source of chance.
pub trait Ids: Send + Sync {
    /// A new UUID that nobody can guess, for commands, claims and records.
    fn random(&self) -> Uuid;

    /// The id of an export asked for at `now`: a UUID of version 7 (RFC 9562), so that ids sort by time.
    fn export(&self, now: Timestamp) -> ExportId;

    /// 32 bytes fit for a key; `None` when the machine has no randomness to give.
    fn secret(&self) -> Option<[u8; 32]>;
}

/// The machine's randomness.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn random(&self) -> Uuid {
        Uuid::new_v4()
    }

    fn export(&self, now: Timestamp) -> ExportId {
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let mut chance = [0; 10];
        chance.copy_from_slice(&Uuid::new_v4().as_bytes()[..10]);
        // A version 4 UUID's fixed bits lie in bytes 6 and 8; mix in others there.
        let more = Uuid::new_v4();
        chance[6] = more.as_bytes()[0];
        chance[8] = more.as_bytes()[1];
        ExportId::from_uuid(Builder::from_unix_timestamp_millis(millis, &chance).into_uuid())
    }

    fn secret(&self) -> Option<[u8; 32]> {
        let mut bytes = [0; 32];
        aws_lc_rs::rand::fill(&mut bytes).ok().map(|()| bytes)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn export_ids_are_version_7_and_sort_by_time() {
        let ids = RandomIds;
        let (a, b) = (
            Timestamp::from_millis(1_794_650_523_000),
            Timestamp::from_millis(1_794_650_523_001),
        );
        let (earlier, later) = (ids.export(a), ids.export(b));
        assert!(earlier < later);
        assert_eq!(earlier.as_uuid().get_version_num(), 7);
        assert_ne!(ids.export(a), ids.export(a));
        assert_eq!(
            ids.export(Timestamp::from_millis(-1))
                .as_uuid()
                .get_version_num(),
            7
        );
    }
}
