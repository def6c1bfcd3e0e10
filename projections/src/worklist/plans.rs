//! What the worklist's lists cost when there are many exports.

#![allow(clippy::unwrap_used, reason = "tests")]

use rusqlite::StatementStatus;

use super::fold::TAKE;
use super::query::{
    DELETING, DUE_DELETION, DUE_EXPIRY, ENDING, NEXT_EXPIRY, NEXT_START, OPEN_ADMISSIONS,
    QUEUED_ONES, RUNNING_ONES, UNRELEASED, list_sql,
};
use crate::tests::plans::{assert_searched, tables};

#[test]
fn every_list_is_read_from_an_index_in_its_order() {
    let tables = tables();
    for (by, condition) in [
        OPEN_ADMISSIONS,
        QUEUED_ONES,
        RUNNING_ONES,
        UNRELEASED,
        DUE_EXPIRY,
        DUE_DELETION,
        DELETING,
    ] {
        assert_searched(&tables, &list_sql(by, condition));
    }
    for sql in [NEXT_START, NEXT_EXPIRY, ENDING] {
        assert_searched(&tables, sql);
    }
}

#[test]
fn what_is_asked_for_every_event_is_planned_once() {
    let tables = tables();
    for export in 0..10_u8 {
        let mut take = tables.prepare_cached(TAKE).unwrap();
        assert!(!take.exists([&[export; 16]]).unwrap());
    }
    let take = tables.prepare_cached(TAKE).unwrap();
    assert_eq!(take.get_status(StatementStatus::RePrepare), 0);
}
