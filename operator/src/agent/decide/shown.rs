//! When a new agent's first status is shown.
use std::time::Duration;

use crate::{
    agent::{observed::Observed, status::Situation},
    status::PROGRESS,
};

/// Whether it is a new agent's first status, and all that it says is that the pod starts. Instructions say more: the status
/// remembers which task they became.
pub(super) fn says_little(observed: &Observed, situation: &Situation) -> bool {
    let agent = &*observed.agent;
    let is_new = agent.status.as_ref().is_none_or(|status| status.observed_generation.is_none_or(|seen| seen < 0));
    is_new && agent.spec.instructions.is_none() && matches!(situation, Situation::Starting(_))
}

/// How much longer such a status waits: mostly the pod is ready before, and one write says both.
pub(super) fn left(observed: &Observed) -> Option<Duration> {
    let made = observed.agent.metadata.creation_timestamp.as_ref()?.0;
    let left = made.checked_add(PROGRESS).ok()?.duration_since(observed.now);
    // Clocks that differ keep nothing back for longer.
    Duration::try_from(left).ok().filter(|left| !left.is_zero() && *left <= PROGRESS)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec, KomputerAgentStatus};

    use super::*;
    use crate::agent::decide;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Looked at some seconds after it was made.
    fn looked_at(second: i64, change: impl FnOnce(&mut KomputerAgent)) -> Observed {
        let mut agent = KomputerAgent::new("ada", KomputerAgentSpec::default());
        agent.metadata.namespace = Some("team".into());
        agent.metadata.uid = Some("u1".into());
        agent.metadata.generation = Some(1);
        agent.metadata.creation_timestamp = Some(Time(at(100)));
        change(&mut agent);
        Observed { now: at(100 + second), ..Observed::of(agent) }
    }

    #[test]
    fn that_the_pod_of_a_new_agent_starts_is_shown_after_a_while() {
        let plan = decide(&looked_at(2, |_| ()));
        assert_eq!((plan.status, plan.reports, plan.again), (None, vec![], Some(Duration::from_secs(3))));
        assert!(!plan.apply.is_empty(), "nothing else waits");
        let plan = decide(&looked_at(5, |_| ()));
        assert!(plan.status.is_some() && plan.is_patient, "those that have no pod yet come first");
        assert!(decide(&looked_at(-1, |_| ())).status.is_some(), "a clock that is behind keeps nothing back");
    }

    #[test]
    fn all_else_is_shown_at_once() {
        let suspended = decide(&looked_at(0, |agent| agent.spec.suspend = Some(true)));
        assert!(suspended.status.is_some() && !suspended.is_patient);
        let instructed = decide(&looked_at(0, |agent| agent.spec.instructions = Some("go".into())));
        assert!(instructed.status.is_some());
        let seen = KomputerAgentStatus { observed_generation: Some(1), ..Default::default() };
        assert!(decide(&looked_at(0, |agent| agent.status = Some(seen))).status.is_some());
    }
}
