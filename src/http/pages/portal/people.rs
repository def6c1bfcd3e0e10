//! Who did something, as far as the viewer may know.

use std::collections::HashMap;

use carnet_events::domain::request::Origin;
use carnet_events::ids::PrincipalId;

use crate::http::pages::words::portal as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;
use crate::http::viewer::Viewer;

/// The people on one page, each looked up once.
pub(super) struct People<'a> {
    state: &'a AppState,
    viewer: &'a Viewer,
    known: HashMap<PrincipalId, String>,
}

impl<'a> People<'a> {
    pub(super) fn new(state: &'a AppState, viewer: &'a Viewer) -> Self {
        Self {
            state,
            viewer,
            known: HashMap::new(),
        }
    }

    /// Whoever set an export off.
    pub(super) async fn asker(
        &mut self,
        origin: Origin,
        principal: &PrincipalId,
    ) -> Result<String, Problem> {
        match origin {
            Origin::User => self.name(principal).await,
            Origin::Schedule => Ok(words::SCHEDULE.to_owned()),
            Origin::Operator => Ok(words::OPERATOR.to_owned()),
        }
    }

    /// “you”, the name for those who may see everybody's exports, else “somebody else”.
    pub(super) async fn name(&mut self, principal: &PrincipalId) -> Result<String, Problem> {
        if *principal == self.viewer.principal {
            return Ok(words::YOU.to_owned());
        }
        if self.viewer.only().is_some() {
            return Ok(words::SOMEBODY.to_owned());
        }
        if let Some(name) = self.known.get(principal) {
            return Ok(name.clone());
        }
        // Operators are the only ones who act on a tenant and aren't in its directory.
        let system = &self.state.system;
        let name = system.subject(&self.viewer.tenant, principal).await?;
        let name = name.unwrap_or_else(|| words::OPERATOR.to_owned());
        self.known.insert(principal.clone(), name.clone());
        Ok(name)
    }
}
