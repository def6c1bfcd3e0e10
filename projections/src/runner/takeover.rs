//! Putting what was filled in the place of what readers see; rebuilds, which are that on demand.

use tokio::sync::oneshot;

use super::Runner;
use super::instance::Instance;
use crate::projection::ALL;
use crate::{Error, ProjectionName};

/// Takes the answer to a rebuild.
pub(super) type Done = oneshot::Sender<Result<(), Error>>;

/// A rebuild under way, and who waits for it.
pub(super) struct Rebuild {
    left: Vec<ProjectionName>,
    failed: Option<Error>,
    done: Done,
}

impl Runner {
    /// Begins to fill new files beside those in use.
    pub(super) fn rebuild(&mut self, names: &[ProjectionName], done: Done) {
        if !self.filled.fillers.is_empty() || self.filled.rebuild.is_some() {
            let _ = done.send(Err(Error::RebuildUnderWay));
            return;
        }
        let wanted = ALL.into_iter().filter(|one| names.contains(&one.name));
        let wanted: Vec<_> = wanted.collect();
        match self.fill(&wanted) {
            Ok(()) if wanted.is_empty() => drop(done.send(Ok(()))),
            Ok(()) => {
                self.filled.rebuild = Some(Rebuild {
                    left: wanted.iter().map(|one| one.name).collect(),
                    failed: None,
                    done,
                });
            }
            Err(error) => {
                let shown = self.lane.instances.iter_mut();
                for one in shown.filter(|one| one.shown && names.contains(&one.name())) {
                    one.not_rebuilt(&error.to_string());
                }
                // Whoever asked may have gone.
                drop(done.send(Err(error)));
            }
        }
        self.tell();
    }

    /// Shows readers what was filled, as soon as it is as far as what they see.
    pub(super) fn show(&mut self) {
        let here = |name, shown| {
            let mut all = self.lane.instances.iter();
            all.find(|one| one.name() == name && one.shown == shown)
        };
        let ready = |name: &ProjectionName| {
            let Some(new) = here(*name, false) else {
                return false;
            };
            let as_far = here(*name, true).is_none_or(|old| old.at().position <= new.at().position);
            new.at().stopped.is_some() || (as_far && new.uncommitted().is_none())
        };
        let ready: Vec<_> = ProjectionName::ALL.into_iter().filter(ready).collect();
        for name in ready {
            let failed = self.take_over(name);
            if let Some(error) = &failed {
                tracing::error!(%error, "a projection was not replaced");
            }
            self.rebuilt(name, failed);
        }
    }

    /// Puts what was filled in the place of what readers see. Not when it has stopped on the way: then what they see is
    /// better than that, if they see anything.
    fn take_over(&mut self, name: ProjectionName) -> Option<Error> {
        let mut new = self
            .lane
            .take(|one| one.name() == name && !one.shown)
            .pop()?;
        let is_old = |one: &Instance| one.name() == name && one.shown;
        if self.lane.instances.iter().any(is_old)
            && let Some(reason) = new.at().stopped.clone()
        {
            drop(new);
            let old = self.lane.instances.iter_mut().find(|one| is_old(one));
            let kept = old.map(|old| {
                old.not_rebuilt(&reason);
                old.file.generation
            });
            let swept = self.folder.sweep(name, kept);
            return Some(swept.err().map_or(
                Error::BadRow {
                    projection: name,
                    reason,
                },
                Error::from,
            ));
        }
        let (path, generation) = (new.file.path.clone(), new.file.generation);
        self.setup.readers.show(name, Some(path));
        drop(self.lane.take(is_old));
        new.shown = true;
        self.lane.instances.push(new);
        // Readers that began before still have it open, until they are done.
        let swept = self.folder.sweep(name, Some(generation));
        swept.err().map(Error::from)
    }

    /// One of those that are rebuilt is done with.
    fn rebuilt(&mut self, name: ProjectionName, failed: Option<Error>) {
        let Some(rebuild) = &mut self.filled.rebuild else {
            return;
        };
        rebuild.left.retain(|left| *left != name);
        rebuild.failed = failed.or_else(|| rebuild.failed.take());
        if rebuild.left.is_empty()
            && let Some(rebuild) = self.filled.rebuild.take()
        {
            self.tell();
            // Whoever asked may have gone.
            let _ = rebuild.done.send(rebuild.failed.map_or(Ok(()), Err));
        }
    }
}
