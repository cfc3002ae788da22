//! Rules that OpenAPI and CEL cannot decide, for the webhook that admits objects and the reconciler that works with them.
//!
//! They take objects as they come, read every field and name every cause at once. They need no cluster: what depends on
//! other objects is a warning of the webhook and a condition of the reconciler, never a cause.
mod agent;
mod budget;
mod cause;
mod circle;
mod config;
mod connector;
mod container;
mod depth;
mod duration;
mod kind;
mod knowledge;
mod names;
mod office;
mod pod;
mod schedule;
mod security;
mod squad;
mod task;
mod template;
mod typed;
mod volume;

pub use cause::{Cause, Reason, message};
pub use circle::{circle, managers};
pub use kind::Kind;
pub use names::cause_of_form;
use serde_json::Value;

use crate::{
    name_limit::NameLimit,
    v1beta1::{KomputerMemorySpec, KomputerSkillSpec},
};

/// All that is wrong with a v1beta1 object.
pub fn causes(kind: Kind, object: &Value) -> Vec<Cause> {
    let Some(spec) = object.get("spec") else { return Vec::new() };
    let mut causes = Vec::new();
    depth::check(spec, &mut causes);
    match kind {
        Kind::Agent => agent::check("spec", spec, &mut causes),
        Kind::Budget => budget::check(spec, &mut causes),
        Kind::Config => config::check(spec, &mut causes),
        Kind::Connector => connector::check(spec, &mut causes),
        Kind::Memory => knowledge::check::<KomputerMemorySpec>(spec, &mut causes),
        Kind::Office => office::check(spec, &mut causes),
        Kind::Schedule => schedule::check(spec, &mut causes),
        Kind::Skill => knowledge::check::<KomputerSkillSpec>(spec, &mut causes),
        Kind::Squad => squad::check(spec, &mut causes),
        Kind::Task => task::check(spec, &mut causes),
        Kind::Template | Kind::ClusterTemplate => template::check(spec, &mut causes),
    }
    causes
}

/// What is wrong with the name of an object that is there, from before the rule about it. Admission lets such an object be,
/// and the reconciler makes nothing of it.
pub fn cause_of_name(kind: Kind, name: &str) -> Option<Cause> {
    let limit = NameLimit::of(kind).filter(|limit| !limit.allows(name))?;
    let message = format!("{}; create it again by a shorter name, and delete this one", limit.text());
    Some(Cause::invalid("metadata.name", &name.into(), message))
}

/// How many characters the name of an object of that kind may have, where Kubernetes would let it have more.
pub fn longest_name(kind: Kind) -> Option<usize> {
    NameLimit::of(kind).map(|limit| limit.characters)
}

/// All that a change makes wrong: what was wrong before and has not been touched may stay, so that an object from before
/// a rule can still be changed elsewhere.
pub fn causes_of_change(kind: Kind, old: &Value, new: &Value) -> Vec<Cause> {
    let mut causes = causes(kind, new);
    if !causes.is_empty() {
        let before = self::causes(kind, old);
        causes.retain(|cause| !before.iter().any(|known| known.is_same_as(cause)));
    }
    causes
}
