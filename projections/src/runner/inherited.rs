//! What of the files that are there can be used, found out when the runner starts.

use super::Setup;
use super::folding::Folding;
use super::instance::Instance;
use crate::Error;
use crate::database::meta::{self, Checkpoint};
use crate::database::{File, Folder, Trouble, set_aside};
use crate::projection::Blueprint;

/// A projection in its newest whole file, if that belongs to this log and this release and goes on. Everything else of
/// the projection is removed, but for a file that has stopped: it is read until a new one is filled.
pub(super) fn instance(
    folder: &Folder,
    blueprint: &'static Blueprint,
    setup: &Setup,
) -> Result<Option<Instance>, Error> {
    let name = blueprint.name;
    let found = folder.found()?;
    let whole = found.iter().filter(|it| it.name == name && it.is_whole());
    let Some(newest) = whole.max_by_key(|file| file.generation) else {
        folder.sweep(name, None)?;
        return Ok(None);
    };
    folder.sweep(name, Some(newest.generation))?;
    let opened = File::open(newest.path.clone(), newest.generation).and_then(|file| {
        Ok((
            file.checkpoint()?,
            meta::rebuild_failed(&file.connection)?,
            file,
        ))
    });
    let (at, rebuild_failed, file) = match opened {
        Ok((Some(at), failed, file)) => (at, failed, file),
        Err(error) if Trouble::of(&error) == Trouble::Passing => return Err(error.into()),
        Ok((None, ..)) | Err(_) => {
            tracing::warn!(path = %newest.path.display(), "a projection's file is damaged and is made anew");
            set_aside(folder, name, newest.generation)?;
            return Ok(None);
        }
    };
    if !is_usable(&at, blueprint, setup) {
        drop(file);
        folder.sweep(name, None)?;
        return Ok(None);
    }
    if at.stopped.is_some() {
        setup.readers.show(name, Some(newest.path.clone()));
        return Ok(None);
    }
    let folding = Folding::new(blueprint, at, &setup.options);
    let mut instance = Instance::new(file, folding, true);
    instance.rebuild_failed = rebuild_failed;
    Ok(Some(instance))
}

fn is_usable(at: &Checkpoint, blueprint: &Blueprint, setup: &Setup) -> bool {
    // A position beyond the log's end is of a log that was longer once: restored from a backup.
    at.log == setup.log && at.version == blueprint.version && at.position <= setup.last
}
