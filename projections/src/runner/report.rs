//! What the runner tells everybody.

use super::Runner;
use crate::status::{Progress, Report};

impl Runner {
    /// Tells everybody how far the projections are.
    pub(super) fn tell(&self) {
        let (shown, coming): (Vec<_>, Vec<_>) =
            self.lane.instances.iter().partition(|one| one.shown);
        let live = shown.iter().map(|one| one.progress(self.lane.caught_up));
        let mut projections: Vec<Progress> = live.collect();
        for filler in &self.filled.fillers {
            match projections.iter_mut().find(|one| one.name == filler.name) {
                Some(beside) => beside.rebuilding = Some(filler.at),
                None => projections.push(filler.progress()),
            }
        }
        for one in coming {
            let beside = projections
                .iter_mut()
                .find(|shown| shown.name == one.name());
            if let Some(beside) = beside {
                beside.rebuilding = Some(one.folding.going_on());
            }
        }
        projections.sort_by_key(|progress| progress.name);
        let trouble = self.file_trouble.as_ref().or(self.store_trouble.as_ref());
        self.wires.report.send_replace(Report {
            log: self.setup.log,
            trouble: trouble.cloned(),
            projections,
        });
    }
}
