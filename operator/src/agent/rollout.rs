//! When a pod that was made before a change of the agent or its template is replaced.
use komputer_crds::v1beta1::{KomputerAgent, Rollout, Template};
use kube::ResourceExt;

use super::{
    build,
    decide::wanted,
    observed::Observed,
    pod_state::{self, PodState},
    template::Resolved,
    waves::Replacement,
};
use crate::conditions::Remark;

/// What becomes of an outdated pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outdated {
    /// It is replaced now.
    Replace,
    /// It stays for the time being.
    Keep(Remark),
}

/// When the agent's pod is replaced that was made before a change.
pub(crate) fn chosen(agent: &KomputerAgent, template: &Template) -> Rollout {
    agent.spec.rollout.or(template.rollout).unwrap_or_default()
}

/// Whether the agent's pod was made before a change.
pub(super) fn is_outdated(observed: &Observed) -> bool {
    observed.is_outdated.or_else(|| outdated(observed)) == Some(true)
}

/// Whether it was, where it has one. What its pod is made of now is not cheap to know: it is asked for once a look.
pub(super) fn outdated(observed: &Observed) -> Option<bool> {
    let pod = observed.pod.as_deref().filter(|pod| observed.owns(*pod))?;
    let wanted = build::pod(&observed.agent, observed.template.as_ref()?, &observed.settings, &observed.master);
    Some(pod.manifest_hash.as_ref() != wanted.annotations().get(build::MANIFEST_HASH))
}

/// How far an agent has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage<'a> {
    /// Its pod is ready and is to be replaced.
    Due(&'a Resolved),
    /// Its pod is ready and stays, or is its squad's.
    Settled,
    /// It has no pod that is ready.
    Coming,
}

/// How far the agent has come with its own pod.
pub(super) fn stage(observed: &Observed) -> Stage<'_> {
    if observed.squad.is_some() {
        return Stage::Settled;
    }
    let Some(pod) = observed.pod.as_deref().filter(|pod| observed.owns(*pod)) else { return Stage::Coming };
    let state = pod_state::of(pod);
    if !matches!(state, PodState::Ready { .. }) {
        return Stage::Coming;
    }
    let is_due = |resolved: &&Resolved| {
        let free = (observed.works(), Replacement::Unasked);
        is_outdated(observed)
            && of(&observed.agent, &resolved.template, &state, free) == Outdated::Replace
            && wanted(observed).is_some()
    };
    observed.template.as_ref().filter(is_due).map_or(Stage::Settled, Stage::Due)
}

/// What becomes of the agent's pod, which is outdated; `is_running` says whether a task runs. One that cannot work as it
/// is never stays: the change may be its remedy.
pub(super) fn of(
    agent: &KomputerAgent,
    template: &Template,
    pod: &PodState,
    (is_running, replacement): (bool, Replacement),
) -> Outdated {
    let keep = |reason, what: &str| {
        let message =
            format!("Pod {} was made before the agent, its template or a Secret changed; {what}", agent.name_any());
        Outdated::Keep(Remark { type_: "PodOutdated", reason, message })
    };
    match chosen(agent, template) {
        _ if pod.cannot_work() => Outdated::Replace,
        Rollout::WhenIdle if is_running => keep("WaitsForTask", "it is replaced once the running task has ended"),
        Rollout::OnDelete => keep("WaitsForDeletion", "delete it to have it replaced, because rollout is OnDelete"),
        Rollout::WhenIdle | Rollout::Immediately => match replacement {
            Replacement::Waits { at_most } => keep(
                "WaitsForOthers",
                &format!("it is replaced after others: at most {at_most} of its template and namespace are at a time"),
            ),
            Replacement::Unasked | Replacement::Granted => Outdated::Replace,
        },
    }
}
