//! All that matches, page by page.

use super::{AuditCursor, AuditEntry, AuditLog, AuditQuery, query};
use crate::Error;

/// Entries read at once.
const PAGE: u32 = 500;

/// Everything that a query matches, in bounded memory.
pub struct AuditStream {
    log: AuditLog,
    query: AuditQuery,
    after: Option<AuditCursor>,
    /// The last position that was in the log when the stream was begun.
    end: Option<i64>,
    done: bool,
}

impl AuditStream {
    pub(super) fn new(log: AuditLog, query: AuditQuery) -> Self {
        Self {
            log,
            query,
            after: None,
            end: None,
            done: false,
        }
    }

    /// The next entries; `None` when there are no more, and after an error.
    ///
    /// # Errors
    /// When the file can't be read.
    pub async fn next(&mut self) -> Option<Result<Vec<AuditEntry>, Error>> {
        if self.done {
            return None;
        }
        let (query, after, end) = (self.query.clone(), self.after, self.end);
        let page = self.log.readers.ask(move |tables| {
            let end = match end {
                Some(end) => end,
                None => query::end(tables)?,
            };
            Ok((end, query::page_until(tables, &query, after, end, PAGE)?))
        });
        match page.await {
            Ok((end, entries)) => {
                self.end = Some(end);
                self.after = entries.last().map(|last| last.cursor);
                self.done = self.after.is_none();
                (!self.done).then_some(Ok(entries))
            }
            Err(error) => {
                self.done = true;
                Some(Err(error))
            }
        }
    }
}
