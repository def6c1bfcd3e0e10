//! Who is behind the pseudonyms of a page, as far as the tenant's directory still knows.

use std::collections::BTreeMap;

use carnet_events::ids::{PrincipalId, TenantId};
use maud::{Markup, html};

use super::super::words::audit as words;
use crate::http::problem::Problem;
use crate::http::state::AppState;

/// Characters of a pseudonym that are enough to tell people apart on a page.
const SHORT: usize = 10;

/// The subjects behind pseudonyms.
#[derive(Default)]
pub(super) struct People(BTreeMap<PrincipalId, String>);

impl People {
    /// Asks the directory for each of `principals`. Those it doesn't know, or no longer, keep their pseudonyms.
    pub(super) async fn find<'a>(
        state: &AppState,
        tenant: &TenantId,
        principals: impl Iterator<Item = &'a PrincipalId>,
    ) -> Result<Self, Problem> {
        let mut people = Self::default();
        for principal in principals {
            if people.0.contains_key(principal) {
                continue;
            }
            if let Some(subject) = state.system.subject(tenant, principal).await? {
                people.0.insert(principal.clone(), subject);
            }
        }
        Ok(people)
    }

    pub(super) fn name(&self, principal: &PrincipalId) -> Option<&str> {
        self.0.get(principal).map(String::as_str)
    }

    /// A person in few words; the whole pseudonym is in the title.
    pub(super) fn show(&self, principal: Option<&PrincipalId>) -> Markup {
        let Some(principal) = principal else {
            return html! { span.muted { (words::SERVICE) } };
        };
        match self.name(principal) {
            Some(name) => html! { span title=(principal) { (name) } },
            None => html! { code title=(principal) { (short(principal.as_str())) } },
        }
    }
}

fn short(pseudonym: &str) -> String {
    let mut text: String = pseudonym.chars().take(SHORT).collect();
    if text.len() < pseudonym.len() {
        text.push('…');
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_known_or_erased_keeps_the_pseudonym() {
        let ada = PrincipalId::new(format!("p-{}", "0a".repeat(16))).unwrap();
        let bob = PrincipalId::new(format!("p-{}", "0b".repeat(16))).unwrap();
        let people = People([(ada.clone(), "ada <ada@example.com>".to_owned())].into());
        let named = people.show(Some(&ada)).into_string();
        assert!(named.contains("ada &lt;ada@example.com&gt;"), "{named}");
        let nameless = people.show(Some(&bob)).into_string();
        assert!(nameless.contains(">p-0b0b0b0b…<"), "{nameless}");
        assert!(nameless.contains(bob.as_str()), "{nameless}");
        assert!(people.show(None).into_string().contains(words::SERVICE));
    }
}
