//! What the board's queries cost.

use super::{depth, nodes, query, series, stuck, tenants};
use crate::tests::plans::{assert_ordered, assert_searched, plan, tables};

#[test]
fn what_grows_is_found_by_an_index() {
    let tables = tables();
    for sql in [series::SERIES, depth::DEPTH, depth::BEFORE] {
        assert_searched(&tables, sql);
    }
    for sql in [nodes::LIST, tenants::CLOSED, tenants::EXEMPTIONS] {
        assert_ordered(&tables, sql);
    }
    // Few rows, which an index finds, are sorted or summed.
    for sql in [query::PERIOD, nodes::RUNNING, &stuck::list_sql()] {
        let plan = plan(&tables, sql);
        assert!(plan[0].starts_with("SEARCH"), "{plan:#?}\n{sql}");
    }
}
