//! What an office lets its manager make.
use komputer_crds::{
    DEFAULT_TEMPLATE,
    validate::{Kind, cause_of_form, cause_of_name},
};
use komputer_events::office::{CreateAgent, Role};
use kube::ResourceExt;

use super::observe::Observed;

/// Agents a manager may have where its office does not say.
const AGENTS: i32 = 20;
/// Managers that may stand above each other where the office does not say.
const DEPTH: i32 = 1;

/// Why the manager may not make the agent, in words for the manager; `beside` others that it makes at the same time.
pub(super) fn refusal(observed: &Observed, asked: &CreateAgent, beside: usize) -> Option<String> {
    let name = cause_of_form("name", &asked.name).or_else(|| cause_of_name(Kind::Agent, &asked.name));
    if let Some(cause) = name {
        return Some(cause.to_string());
    }
    too_many(observed, beside).or_else(|| another_template(observed, asked)).or_else(|| too_deep(observed, asked))
}

fn too_many(observed: &Observed, beside: usize) -> Option<String> {
    let limit = observed.office().spec.max_agents.unwrap_or(AGENTS);
    let there = i32::try_from(observed.members().len() + beside).unwrap_or(i32::MAX);
    (there >= limit).then(|| {
        let office = observed.office().name_any();
        format!("KomputerOffice {office} may have {limit} agents and has them; delete one that you need no more")
    })
}

fn another_template(observed: &Observed, asked: &CreateAgent) -> Option<String> {
    let asked = asked.template.as_deref()?;
    let own = observed.manager()?.spec.template_ref.as_ref().map_or(DEFAULT_TEMPLATE, |own| &own.name);
    let listed = observed.office().spec.template_refs.iter().map(|listed| &*listed.name);
    let allowed: Vec<_> = std::iter::once(own).chain(listed.filter(|listed| *listed != own)).collect();
    (!allowed.contains(&asked)).then(|| {
        let office = observed.office().name_any();
        format!("KomputerOffice {office} does not allow template {asked}; choose one of {}", allowed.join(", "))
    })
}

/// Each manager above it, and the one that asks, may have only so many managers in a row.
fn too_deep(observed: &Observed, asked: &CreateAgent) -> Option<String> {
    if asked.role != Some(Role::Manager) {
        return None;
    }
    let above = observed.above.iter().zip(2..);
    let (above, depth) = above
        .map(|(above, depth)| (above, depth, above.max_depth.unwrap_or(DEPTH)))
        .find_map(|(above, depth, limit)| (depth > limit).then_some((above, limit)))?;
    Some(format!(
        "the office of KomputerAgent {} allows {depth} managers above each other, and {} would be one more; make a worker",
        above.manager, asked.name
    ))
}
