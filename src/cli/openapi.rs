//! `carnet openapi`: the API's description, for generators of clients.

use super::Failure;
use super::output::Output;
use crate::http::openapi::document;

pub(super) fn run(output: &mut Output) -> Result<(), Failure> {
    output.json(document())
}
