//! What the worklist's lists cost when there are many exports.

use super::query::{
    DELETING, DUE_DELETION, DUE_EXPIRY, NEXT_EXPIRY, NEXT_START, OPEN_ADMISSIONS, QUEUED_ONES,
    RUNNING_ONES, UNRELEASED, list_sql,
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
    for sql in [NEXT_START, NEXT_EXPIRY] {
        assert_searched(&tables, sql);
    }
}
