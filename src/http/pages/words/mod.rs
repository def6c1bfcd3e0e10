//! Every text of the pages, in English: one file per desk, so that a translation has one place to go.

pub(super) mod audit;
pub(super) mod failures;
pub(super) mod frame;
pub(super) mod operator;
pub(super) mod portal;
pub(super) mod problems;
pub(super) mod sign_in;
pub(super) mod stamps;
