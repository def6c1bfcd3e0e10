//! What of the file can be used, found out when it is opened.

use rusqlite::Connection;

use super::Setup;
use super::instance::Instance;
use crate::Error;
use crate::database::{meta, tables};
use crate::projection::{ALL, Blueprint};

/// Who begins in which lane.
pub(super) struct Plan {
    pub(super) live: Vec<Instance>,
    pub(super) behind: Vec<Instance>,
}

/// Keeps what belongs to this log and this release, makes empty tables for the rest, and sweeps away what
/// nobody uses.
pub(super) fn make(connection: &mut Connection, setup: &Setup) -> Result<Plan, Error> {
    let transaction = connection.transaction()?;
    let same_log = meta::log(&transaction)? == Some(setup.log);
    meta::set_log(&transaction, setup.log)?;
    let mut instances = Vec::new();
    for blueprint in ALL {
        instances.push(instance(&transaction, blueprint, setup, same_log)?);
    }
    tables::sweep(&transaction, |blueprint| {
        let in_use = instances.iter().find(|one| one.name() == blueprint.name);
        in_use.map(|one| one.at.generation)
    })?;
    transaction.commit()?;

    let front = instances.iter().map(|one| one.at.position).max().flatten();
    let (live, behind) = instances
        .into_iter()
        .partition(|one| one.at.position == front);
    Ok(Plan { live, behind })
}

fn instance(
    connection: &Connection,
    blueprint: &'static Blueprint,
    setup: &Setup,
    same_log: bool,
) -> Result<Instance, Error> {
    let known = meta::get(connection, blueprint.name)?;
    let generation = known.as_ref().map_or(0, |at| at.generation);
    // A position beyond the log's end is of a log that was longer once: restored from a backup.
    let usable =
        known.filter(|at| same_log && at.version == blueprint.version && at.position <= setup.last);
    if let Some(at) = usable {
        return Ok(Instance::new(blueprint, at, false, &setup.options));
    }
    let generation = generation.wrapping_add(1);
    let instance = Instance::empty(connection, blueprint, generation, false, &setup.options)?;
    tables::show(connection, blueprint, generation)?;
    instance.save(connection)?;
    Ok(instance)
}
