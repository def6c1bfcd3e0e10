//! What must be so in the end, when nothing has gone wrong any more for long enough.

use carnet_events::domain::export::Outcome;

use super::{Checker, Violation};
use crate::server::brief;

impl Checker {
    /// What has not come to its end yet.
    pub fn unfinished(&self) -> Vec<Violation> {
        let mut open = Vec::new();
        let now = self.time.now();
        for (tenant, book) in &self.tenants {
            if book.is_left_over(now) {
                open.push((format!("{tenant} is not purged"), tenant.to_string()));
            }
            for export in book.exports() {
                if !self.exports.contains_key(&export) {
                    let what = format!("{} was admitted and never requested", brief(export));
                    open.push((what, brief(export)));
                }
            }
            for export in &book.unreleased {
                let what = format!("{} is not released", brief(*export));
                open.push((what, brief(*export)));
            }
        }
        for (export, book) in &self.exports {
            let missing = match book.outcome {
                None => "is not settled",
                Some(Outcome::Completed) if !book.expired => "is not expired",
                Some(Outcome::Completed) if !book.deleted => "still has its file",
                Some(Outcome::Completed | Outcome::Failed | Outcome::Cancelled) => continue,
            };
            open.push((format!("{} {missing}", brief(*export)), brief(*export)));
        }
        for key in self.objects.lock().unwrap().keys() {
            open.push((format!("{key} is left in the bucket"), key.clone()));
        }
        let violation = |(what, word)| Violation {
            what,
            words: vec![word],
        };
        open.into_iter().map(violation).collect()
    }

    /// All exports there ever were.
    pub fn known(&self) -> Vec<carnet_events::ids::ExportId> {
        self.exports.keys().copied().collect()
    }

    /// Exports that came to an end.
    pub fn settled(&self) -> usize {
        let settled = self.exports.values();
        settled.filter(|book| book.outcome.is_some()).count()
    }
}
