//! Going through a list of the worklist, a page a round.

use crate::ports::{Mark, Page};

/// Where a list is at. Each round takes the page after the one before, and begins again after the last: so entries that
/// can't be worked on, however many, keep none behind them from its turn.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    after: Option<Mark>,
}

impl Rotation {
    /// After which the page to be asked for begins; `None`: it is the first.
    pub(crate) fn after(&self) -> Option<Mark> {
        self.after
    }

    /// The entries of the page that was asked for; the next round takes the one after it.
    pub(crate) fn turn<T>(&mut self, page: Page<T>) -> Vec<T> {
        self.after = page.next;
        page.entries
    }
}
