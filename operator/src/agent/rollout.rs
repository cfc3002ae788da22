//! When a pod that was made before a change of the agent or its template is replaced.
use komputer_crds::v1beta1::{KomputerAgent, Rollout, Template};
use kube::ResourceExt;

use super::pod_state::PodState;
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

/// What becomes of the agent's pod, which is outdated; `is_running` says whether a task runs. One that cannot work as it
/// is never stays: the change may be its remedy.
pub(super) fn of(agent: &KomputerAgent, template: &Template, pod: &PodState, is_running: bool) -> Outdated {
    let keep = |reason, what: &str| {
        let message =
            format!("Pod {} was made before the agent, its template or a Secret changed; {what}", agent.name_any());
        Outdated::Keep(Remark { type_: "PodOutdated", reason, message })
    };
    match chosen(agent, template) {
        _ if pod.cannot_work() => Outdated::Replace,
        Rollout::WhenIdle if is_running => keep("WaitsForTask", "it is replaced once the running task has ended"),
        Rollout::OnDelete => keep("WaitsForDeletion", "delete it to have it replaced, because rollout is OnDelete"),
        Rollout::WhenIdle | Rollout::Immediately => Outdated::Replace,
    }
}
