//! Whether an export's file may be had now: today's permissions, policies and tenant state against those of the
//! export. Pure, so that what a job's links promise is what a download checks first.

use carnet_actors::PlatformView;
use carnet_events::domain::export::{Deletion, Export, Published};
use carnet_events::domain::tenant::Tenant;
use carnet_events::ids::{Digest, TenantId, Timestamp};

use crate::auth::Caller;
use crate::export::catalog::Category;
use crate::http::codes::Code;
use crate::http::state::AppState;

/// Whose permissions count.
pub(in crate::http) enum Holder<'a> {
    /// A signed-in caller's.
    Caller(&'a Caller),
    /// A link's: its issuer had exactly the permissions of this digest, which the categories needed then.
    Link(Digest),
}

/// Why a file can't be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct Blocked {
    pub(in crate::http) code: Code,
    /// Categories whose policy or permission changed, if that is why.
    pub(in crate::http) categories: Vec<String>,
}

/// How things stand now, which an export is held against.
pub(in crate::http) struct Gate<'a> {
    pub(in crate::http) state: &'a AppState,
    pub(in crate::http) tenant: &'a Tenant,
    /// What stands in the log of the policies that are served with, on whichever node.
    pub(in crate::http) platform: &'a PlatformView,
    pub(in crate::http) holder: &'a Holder<'a>,
    pub(in crate::http) now: Timestamp,
}

impl Gate<'_> {
    /// The published file, or why it can't be had. The order is that of the answers: 403, 410, 409. Whether the file is whole only its storage can
    /// say, and one that was found damaged may have been restored: whoever wants it is answered after a look.
    pub(in crate::http) fn check<'e>(&self, export: &'e Export) -> Result<&'e Published, Blocked> {
        let blocked = |code| Blocked {
            code,
            categories: Vec::new(),
        };
        if !self.tenant.serves_at(self.now) {
            return Err(blocked(Code::AccessChanged));
        }
        let categories = export.request.categories.iter();
        let changed = categories.filter(|id| !self.is_unchanged(export, id));
        let changed: Vec<String> = changed.cloned().collect();
        let lost = match self.holder {
            Holder::Link(had) => *had != permissions(self.state, export),
            Holder::Caller(_) => false,
        };
        if lost || !changed.is_empty() {
            return Err(Blocked {
                code: Code::AccessChanged,
                categories: changed,
            });
        }
        let published = export.published().ok_or(blocked(Code::NotReady))?;
        if published.is_over(self.now) {
            return Err(blocked(Code::Expired));
        }
        // Whatever it was deleted for, and however far that is: the file is not to be had any more.
        if export.deletion != Deletion::Kept {
            return Err(blocked(Code::Expired));
        }
        Ok(published)
    }

    /// Whether a category is still there, still open to the holder, and still under the policy it was exported with.
    fn is_unchanged(&self, export: &Export, id: &str) -> bool {
        let Some(category) = self.state.catalog.get(id) else {
            return false;
        };
        let permitted = match self.holder {
            Holder::Caller(caller) => may_export(caller, category),
            Holder::Link(_) => true,
        };
        // Before there is a file, there is nothing a changed policy could have spoilt.
        let same_policy = export.published().is_none_or(|published| {
            let then = published
                .categories
                .get(id)
                .map(|result| result.policy_digest);
            // Another node may have begun to serve with another policy: the latest counts, as soon as it stands in the log.
            let applied = &self.platform.policies;
            then == Some(category.policy.digest())
                && (applied.is_empty() || applied.get(id) == then.as_ref())
        });
        let tenant = &export.request.tenant;
        permitted && same_policy && is_on(self.state, self.tenant, tenant, category)
    }
}

/// The same for what is offered without a look at the storage or at other nodes: a file that was found damaged isn't.
pub(in crate::http) fn offer<'a>(
    state: &AppState,
    tenant: &Tenant,
    export: &'a Export,
    holder: &Holder<'_>,
    now: Timestamp,
) -> Result<&'a Published, Blocked> {
    let gate = Gate {
        state,
        tenant,
        platform: &state.system.platform_known(),
        holder,
        now,
    };
    let published = gate.check(export)?;
    if export.damaged {
        return Err(Blocked {
            code: Code::ArtifactDamaged,
            categories: Vec::new(),
        });
    }
    Ok(published)
}

/// Digest of the permissions that the export's categories need today.
pub(in crate::http) fn permissions(state: &AppState, export: &Export) -> Digest {
    let mut needed: Vec<&str> = export
        .request
        .categories
        .iter()
        .filter_map(|id| state.catalog.get(id)?.permission.as_deref())
        .collect();
    needed.sort_unstable();
    needed.dedup();
    Digest::of(needed.join("\0").as_bytes())
}

/// Whether `caller` may export `category`.
pub(in crate::http) fn may_export(caller: &Caller, category: &Category) -> bool {
    category
        .permission
        .as_deref()
        .is_none_or(|permission| caller.has_permission(permission))
}

/// Whether the category's module is on for the tenant.
pub(in crate::http) fn is_on(
    state: &AppState,
    tenant: &Tenant,
    id: &TenantId,
    category: &Category,
) -> bool {
    category
        .module
        .as_deref()
        .is_none_or(|module| tenant.module_is_on(module, state.config.module_is_on(id, module)))
}
