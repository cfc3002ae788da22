//! `spec.instructions` becomes a task, once for each change.
use std::collections::BTreeMap;

use komputer_crds::{
    v1beta1::{AgentRef, InstructionsStatus, KomputerAgent, KomputerTask, KomputerTaskSpec},
    validate::{Kind, cause_of_name},
};
use kube::ResourceExt;
use sha2::{Digest, Sha256};

use super::build::child_of;

/// The task that the agent's instructions have become or, where they are new, are to become; none where the agent's name
/// is too long for one.
pub(super) fn status(agent: &KomputerAgent) -> Option<InstructionsStatus> {
    let before = agent.status.as_ref().and_then(|status| status.instructions.as_ref());
    let is_named_well = cause_of_name(Kind::Agent, &agent.name_any()).is_none();
    let Some(instructions) = agent.spec.instructions.as_ref().filter(|_| is_named_well) else { return before.cloned() };
    let hash = hash(instructions);
    match before {
        Some(before) if before.hash == hash => Some(before.clone()),
        _ => {
            let revision = before.map_or(0, |before| before.revision) + 1;
            let task_name = format!("{}-{}", agent.name_any(), suffix(&hash, revision));
            Some(InstructionsStatus { hash, revision, task_name })
        }
    }
}

/// The name of the task that a new agent's instructions become.
pub(crate) fn task_of_instructions(agent: &KomputerAgent) -> Option<String> {
    status(agent).map(|status| status.task_name)
}

/// The task itself, where it is still to be made.
pub(super) fn task(agent: &KomputerAgent, wanted: Option<&InstructionsStatus>) -> Option<KomputerTask> {
    let before = agent.status.as_ref().and_then(|status| status.instructions.as_ref());
    let wanted = wanted.filter(|wanted| before != Some(*wanted))?;
    let spec = KomputerTaskSpec {
        agent_ref: AgentRef { name: agent.name_any() },
        instructions: agent.spec.instructions.clone()?,
        ..Default::default()
    };
    let mut task = KomputerTask::new(&wanted.task_name, spec);
    task.metadata = child_of(agent, wanted.task_name.clone(), BTreeMap::new());
    Some(task)
}

fn hash(instructions: &str) -> String {
    hex::encode(&Sha256::digest(instructions)[..16])
}

/// Eight digits; instructions that come back after a change get another task than the first time.
fn suffix(hash: &str, revision: i64) -> String {
    hex::encode(&Sha256::digest(format!("{hash}-{revision}"))[..4])
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgentSpec, KomputerAgentStatus};

    use super::*;

    fn agent(instructions: &str, before: Option<InstructionsStatus>) -> KomputerAgent {
        let spec = KomputerAgentSpec { instructions: Some(instructions.into()), ..Default::default() };
        let mut agent = KomputerAgent::new("ada", spec);
        agent.status = Some(KomputerAgentStatus { instructions: before, ..Default::default() });
        agent
    }

    #[test]
    fn each_change_makes_one_task() {
        let first = status(&agent("one", None));
        assert!(task(&agent("one", None), first.as_ref()).is_some());
        let settled = agent("one", first.clone());
        assert_eq!(status(&settled), first);
        assert_eq!(task(&settled, first.as_ref()), None);

        let second = status(&agent("two", first.clone()));
        let third = status(&agent("one", second.clone()));
        assert_eq!(third.as_ref().map(|status| status.revision), Some(3));
        let names = [first, second, third].map(|status| status.unwrap().task_name);
        assert!(names.iter().all(|name| name.len() == "ada-01234567".len()), "{names:?}");
        assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2]);
    }

    #[test]
    fn a_crash_before_the_status_was_written_names_the_same_task() {
        assert_eq!(status(&agent("one", None)), status(&agent("one", None)));
    }
}
