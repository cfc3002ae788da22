//! What every declared kind has in common: its spec is judged again, its conditions keep to the table.
use std::{fmt::Debug, sync::Arc, time::Duration};

use jiff::Timestamp;
use komputer_crds::{
    v1beta1::StatusConditions,
    validate::{self, Kind},
};
use kube::{
    ResourceExt,
    core::object::{HasSpec, HasStatus},
};
use serde::Serialize;
use serde_json::json;

use super::world::World;
use crate::{
    conditions::{Progress, Standing, conditions},
    controller::Controller,
    plan::Plan,
    prune::deprecated,
    status::{Written, show},
    watch::Watched,
};

/// A declared kind.
pub trait Declared:
    Watched
    + HasSpec<Spec: Serialize>
    + HasStatus<Status: StatusConditions + Serialize + PartialEq + Clone + Debug + Send + Sync>
{
    /// Its rules.
    const KIND: Kind;
    /// What its status says beside its conditions.
    type Facts: Clone + Debug + Send;

    /// Looks at the rest of the world.
    fn look(&self, world: &World) -> Self::Facts;
    /// Judges, where the spec is valid.
    fn judge(&self, facts: &Self::Facts) -> Verdict<Self::Status>;
}

/// Where an object stands, and its status but for the conditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict<Status> {
    /// The row of the state table.
    pub standing: Standing,
    /// The rest of the status.
    pub status: Status,
}

impl<Status> Verdict<Status> {
    pub(crate) fn new(progress: Progress, reason: &'static str, message: impl Into<String>, status: Status) -> Self {
        Self { standing: Standing { progress, reason, message: message.into() }, status }
    }
}

/// Keeps the statuses of a declared kind.
pub struct DeclaredController<K> {
    world: World,
    kind: std::marker::PhantomData<fn() -> K>,
}

impl<K> DeclaredController<K> {
    /// A controller that looks at `world`.
    pub fn new(world: World) -> Self {
        Self { world, kind: std::marker::PhantomData }
    }
}

/// All that decides about a declared object.
#[derive(Clone, Debug)]
pub struct Observed<K: Declared> {
    /// The object.
    pub object: Arc<K>,
    /// What is known beside it.
    pub facts: K::Facts,
    /// Whether its namespace is being deleted.
    pub namespace_is_going: bool,
    /// When its status was last written.
    pub written: Option<Timestamp>,
    /// Now.
    pub now: Timestamp,
}

impl<K: Declared> Controller for DeclaredController<K> {
    type Object = K;
    type Observed = Observed<K>;
    type Status = K::Status;
    // A thousand agents that come at once are counted a few times, not a thousand.
    const DEBOUNCE: Duration = Duration::from_millis(200);

    fn observe(&self, object: Arc<K>, now: Timestamp, written: Option<Timestamp>) -> Observed<K> {
        Observed {
            facts: object.look(&self.world),
            namespace_is_going: self.world.namespace_is_going(&object.namespace().unwrap_or_default()),
            object,
            written,
            now,
        }
    }

    fn decide(observed: &Observed<K>) -> Plan<K::Status> {
        decide(observed)
    }
}

pub(crate) fn decide<K: Declared>(observed: &Observed<K>) -> Plan<K::Status> {
    let object = &*observed.object;
    let mut verdict = object.judge(&observed.facts);
    if object.meta().deletion_timestamp.is_some() || observed.namespace_is_going {
        let message = format!("The {} is being deleted", K::kind(&()));
        verdict.standing = Standing { progress: Progress::Deleting, reason: "Deleting", message };
    } else if let Some(message) = invalid(object) {
        verdict.standing = Standing { progress: Progress::Stalled, reason: "InvalidSpec", message };
    }
    let before = object.status().map_or(&[][..], StatusConditions::conditions);
    let generation = object.meta().generation;
    let conditions = conditions(&verdict.standing, deprecated(object), generation, before, observed.now);
    let wanted = verdict.status.with_conditions(generation, conditions);
    let written = Written { status: object.status(), at: observed.written };
    show(Plan::nothing(), written, wanted, only_figures, observed.now)
}

/// What is wrong with the name and the spec: admission refuses it, but may have been passed by, or be newer.
pub(crate) fn invalid<K: Declared>(object: &K) -> Option<String> {
    let mut causes = validate::causes(K::KIND, &json!({ "spec": object.spec() }));
    causes.extend(validate::cause_of_name(K::KIND, &object.name_any()));
    (!causes.is_empty()).then(|| validate::message(&causes))
}

/// Whether the two stand the same, and differ in figures only.
fn only_figures<S: StatusConditions>(before: &S, wanted: &S) -> bool {
    let stand = |status: &S| {
        let conditions = status.conditions().iter();
        conditions
            .map(|condition| (condition.type_.clone(), condition.status.clone(), condition.observed_generation))
            .collect::<Vec<_>>()
    };
    stand(before) == stand(wanted)
}
