//! People who want exports, and don't always wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use carnet_actors::{Admission, AdmitRequest, Cause, Error, System};
use carnet_events::domain::request::{ExportKind, Format, Layer, Origin, Request};
use carnet_events::domain::tenant::{CategoryCheck, IdempotencyKey, Limits, Quota};
use carnet_events::ids::{Digest, ExportId, PrincipalId, TenantId};
use futures::future::join;
use tokio::time::{sleep, timeout};

use crate::mutation::Mutation;
use crate::runner::POLICY;
use crate::world::{World, limits};

/// How long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// What is known of the intake by those who switch it.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub enum Intake {
    /// Open, or being switched.
    #[default]
    Perhaps,
    /// Paused, and nobody has tried to resume it since. The number tells one pause from another.
    Paused(u32),
}

/// Persons of every tenant, with two at a time for each.
pub fn arrive(world: &Arc<World>) {
    for tenant in &world.tenants {
        for name in ["ada", "bob", "cy"] {
            let person = Person {
                world: Arc::clone(world),
                tenant: tenant.clone(),
                name,
            };
            tokio::spawn(person.clone().live());
            tokio::spawn(person.live());
        }
    }
}

#[derive(Clone)]
struct Person {
    world: Arc<World>,
    tenant: TenantId,
    name: &'static str,
}

impl Person {
    async fn live(self) {
        let chance = self.world.chance.clone();
        loop {
            sleep(chance.millis(500, 20_000)).await;
            if self.world.is_calm() {
                return;
            }
            let Some(system) = self.a_node() else {
                continue;
            };
            let what = chance.below(100);
            let act = async {
                match what {
                    0..60 => self.request(&system).await,
                    60..72 => self.cancel(&system).await,
                    72..90 => self.look(&system).await,
                    _ => self.take_links_back(&system).await,
                }
            };
            let _ = timeout(PATIENCE, act).await;
        }
    }

    fn a_node(&self) -> Option<System> {
        let node = self.world.chance.pick(&self.world.nodes)?;
        node.system()
    }

    fn an_export(&self) -> Option<ExportId> {
        let known = self.world.known.lock().unwrap();
        let own: Vec<_> = known
            .iter()
            .filter(|(tenant, _)| *tenant == self.tenant)
            .rev()
            .take(5)
            .collect();
        self.world.chance.pick(&own).map(|(_, export)| *export)
    }

    async fn principal(&self, system: &System) -> Option<PrincipalId> {
        let name = system
            .principal(&self.tenant, self.name, &Cause::default())
            .await
            .ok()?;
        let mut checker = self.world.checker.lock().unwrap();
        checker.called(&self.tenant, self.name, &name);
        Some(name)
    }

    async fn request(&self, system: &System) {
        let chance = &self.world.chance;
        let Some(principal) = self.principal(system).await else {
            return;
        };
        let key = chance.percent(60).then(|| IdempotencyKey {
            key: Digest::from_bytes(chance.bytes()),
            fingerprint: Digest::from_bytes([1; 32]),
            alike: Vec::new(),
        });
        let asked = self.asked(principal, key);
        match (chance.percent(30), self.a_node()) {
            // Twice at once, to two nodes.
            (true, Some(other)) => {
                let first = self.ask(system, asked.clone());
                let second = self.ask(&other, asked.clone());
                let (first, second) = join(first, second).await;
                if let (Ok(Some(one)), Ok(Some(two)), Some(_)) = (&first, &second, &asked.key) {
                    self.world.checker.lock().unwrap().doubled(*one, *two);
                }
            }
            _ => {
                let mut answer = self.ask(system, asked.clone()).await;
                for _ in 0..3 {
                    // Without a key nobody can tell whether asking again would be asking twice.
                    let again = matches!(&answer, Err(error) if error.is_transient());
                    if !again || asked.key.is_none() {
                        return;
                    }
                    sleep(chance.millis(100, 3000)).await;
                    if let Some(other) = self.a_node() {
                        answer = self.ask(&other, asked.clone()).await;
                    }
                }
            }
        }
    }

    fn asked(&self, principal: PrincipalId, key: Option<IdempotencyKey>) -> AdmitRequest {
        let origin = match self.world.chance.below(20) {
            0 => Origin::Schedule,
            1 => Origin::Operator,
            _ => Origin::User,
        };
        AdmitRequest {
            request: Request {
                tenant: self.tenant.clone(),
                principal,
                origin,
                kind: ExportKind::Account,
                categories: vec!["users".to_owned()],
                scope: None,
                format: Format::Json,
                layers: vec![Layer::Gzip],
                policy_digests: BTreeMap::from([("users".to_owned(), POLICY)]),
                retry_of: None,
            },
            categories: CategoryCheck::default(),
            key,
            limits: self.limits(),
            reason: None,
        }
    }

    fn limits(&self) -> Limits {
        let mut limits = limits();
        if self.world.mutation == Mutation::LimitsAreIgnored {
            limits.per_user = Quota {
                accepted: 100,
                window_ms: 1,
            };
        }
        limits
    }

    async fn ask(&self, system: &System, asked: AdmitRequest) -> Result<Option<ExportId>, Error> {
        let world = &self.world;
        let before = *world.intake.lock().unwrap();
        match system.admit(asked, Cause::default()).await? {
            Admission::Accepted { export, repeated } => {
                let mut checker = world.checker.lock().unwrap();
                checker.accepted(export, &self.tenant);
                let after = *world.intake.lock().unwrap();
                if !repeated && before != Intake::Perhaps && before == after {
                    checker.accepted_while_paused(export);
                }
                let mut known = world.known.lock().unwrap();
                known.push((self.tenant.clone(), export));
                Ok(Some(export))
            }
            Admission::Refused(_) => Ok(None),
        }
    }

    async fn cancel(&self, system: &System) {
        if let (Some(principal), Some(export)) = (self.principal(system).await, self.an_export()) {
            let _ = system.cancel(export, principal, Cause::default()).await;
        }
    }

    async fn look(&self, system: &System) {
        let Some(export) = self.an_export() else {
            return;
        };
        let before = self.world.checker.lock().unwrap().length(export);
        if let Ok(view) = system.export(export).await {
            let mut checker = self.world.checker.lock().unwrap();
            checker.was_read(export, before, view.map(|view| view.revision));
        }
        let _ = system.queue_position(export).await;
    }

    async fn take_links_back(&self, system: &System) {
        if let (Some(by), Some(export)) = (self.principal(system).await, self.an_export()) {
            let cause = Cause::default();
            let _ = system.revoke_links(export, None, by, cause).await;
        }
    }
}
