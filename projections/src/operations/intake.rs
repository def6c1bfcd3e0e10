//! Whether requests are taken.

use carnet_events::ids::{PrincipalId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::bad;
use crate::Error;

/// Whether requests are taken.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Intake {
    /// No requests are taken, on any node.
    pub paused: bool,
    /// Who paused or resumed it last; `None`: nobody ever did.
    pub by: Option<PrincipalId>,
    /// When that was.
    pub at: Option<Timestamp>,
}

/// Intake was paused or resumed.
pub(super) fn set(
    tables: &Connection,
    paused: bool,
    by: &PrincipalId,
    at: Timestamp,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO operations_intake VALUES (1, ?, ?, ?)";
    let mut set = tables.prepare_cached(sql)?;
    set.execute(params![paused, by.as_str(), at.as_millis()])
        .map(drop)
}

pub(super) fn get(tables: &Connection) -> Result<Intake, Error> {
    let mut select =
        tables.prepare_cached("SELECT paused, principal, at FROM operations_intake")?;
    let row = select
        .query_row([], |row| {
            Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?))
        })
        .optional()?;
    let Some((paused, by, at)) = row else {
        return Ok(Intake::default());
    };
    Ok(Intake {
        paused,
        by: Some(PrincipalId::new(by).map_err(|error| bad(&error))?),
        at: Some(Timestamp::from_millis(at)),
    })
}
