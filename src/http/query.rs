//! Reading query strings strictly: unknown parameters and wrong types are said, not passed over.

use actix_web::HttpRequest;
use actix_web::web::Query;
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// The query string as `T`.
///
/// # Errors
/// A problem that says what can't be read.
pub(super) fn query<T: DeserializeOwned>(request: &HttpRequest) -> Result<T, Problem> {
    Query::<T>::from_query(request.query_string())
        .map(Query::into_inner)
        .map_err(|error| Problem::malformed(format!("The query string: {error}.")))
}
