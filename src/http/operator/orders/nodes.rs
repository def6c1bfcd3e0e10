//! `/api/operator/nodes`

use actix_web::{HttpResponse, web};
use carnet_events::ids::NodeId;

use super::super::actions::Action;
use super::super::answer::OperatorAct;
use super::{Asked, Why, named};
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Has a node finish its work and take no more.
#[utoipa::path(post, path = "/api/operator/nodes/{node}/drain", operation_id = "drainNode", tag = "Operators", params(("node" = String, Path, description = "The node's id, or `this`: the node that answers")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn drain(asked: Asked, node: web::Path<String>) -> Result<HttpResponse, Problem> {
    let id = node_id(&asked.state, &node);
    asked.carry_out_plain(|| Ok(Action::Drain(id?))).await
}

/// Has a node work again.
#[utoipa::path(post, path = "/api/operator/nodes/{node}/undrain", operation_id = "undrainNode", tag = "Operators", params(("node" = String, Path, description = "The node's id, or `this`: the node that answers")), request_body = Why, responses(
    (status = 200, description = "Done, or so already", body = OperatorAct),
))]
pub(crate) async fn undrain(
    asked: Asked,
    node: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let id = node_id(&asked.state, &node);
    asked.carry_out_plain(|| Ok(Action::Undrain(id?))).await
}

fn node_id(state: &AppState, node: &str) -> Result<NodeId, Problem> {
    match node {
        "this" => Ok(state.system.node()),
        id => named(id),
    }
}
