use komputer_crds::{v1beta1::MaxUnavailable, validate::Kind};
use serde::Deserialize as _;

use super::Change;
use crate::references::AgentFacts;

/// Fields that pods are made from.
const OF_POD: [&str; 6] =
    ["image", "imagePullPolicy", "resources", "podTemplate", "model/baseURL", "model/apiKeySecretRef"];

/// What comes of a change of a template for the agents that are made from it.
pub(super) fn foresight(kind: Kind, change: Change<'_>, agents: &[AgentFacts]) -> Vec<String> {
    if change.is_new() {
        return Vec::new();
    }
    [pods(change, agents), queue(kind, change, agents)].into_iter().flatten().collect()
}

fn pods(change: Change<'_>, agents: &[AgentFacts]) -> Option<String> {
    let field = OF_POD.into_iter().find(|field| change.of(&format!("/spec/{field}")).is_some())?;
    let of_template = change.text("/spec/rollout").unwrap_or("WhenIdle");
    let rollout = |agent: &AgentFacts| agent.rollout.clone().unwrap_or_else(|| of_template.to_owned());
    let (mut now, mut later, mut kept) = (0, 0, 0);
    for agent in agents.iter().filter(|agent| agent.is_awake()) {
        match rollout(agent).as_str() {
            "OnDelete" => kept += 1,
            "WhenIdle" if agent.works() => later += 1,
            _ => now += 1,
        }
    }
    let field = field.replace('/', ".");
    let most = change.new.pointer("/spec/maxUnavailable").and_then(|most| MaxUnavailable::deserialize(most).ok());
    let most = most.unwrap_or_default();
    Some(format!(
        "spec.{field}: pods replaced: {now} now, {later} after their task, {kept} when deleted; of those that work at most {most} at a time"
    ))
}

/// Who is awake is not sent to sleep.
fn queue(kind: Kind, change: Change<'_>, agents: &[AgentFacts]) -> Option<String> {
    let limit = change.of("/spec/maxConcurrentAgents")?.1?.as_u64().filter(|limit| *limit > 0)?;
    // A cluster's template is limited for each namespace by itself.
    let awake = agents.iter().filter(|agent| agent.is_awake() && kind == Kind::Template).count();
    let is_over = u64::try_from(awake).is_ok_and(|awake| awake > limit);
    is_over.then(|| {
        format!("spec.maxConcurrentAgents: {awake} agents are awake and stay so; no other starts until fewer are")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn agent(phase: &str, rollout: Option<&str>) -> AgentFacts {
        AgentFacts { phase: Some(phase.into()), rollout: rollout.map(Into::into), ..Default::default() }
    }

    fn told(old: Value, new: Value) -> Vec<String> {
        let agents = [
            agent("Working", None),
            agent("Idle", None),
            agent("Working", Some("Immediately")),
            agent("Working", Some("OnDelete")),
            agent("Sleeping", None),
        ];
        let (old, new) = (json!({ "spec": old }), json!({ "spec": new }));
        foresight(Kind::Template, Change { namespace: "team", name: "t", old: &old, new: &new }, &agents)
    }

    #[test]
    fn pods_are_counted_by_when_they_are_replaced() {
        let image = json!({ "image": "agent:2" });
        assert_eq!(
            told(json!({}), image),
            [
                "spec.image: pods replaced: 2 now, 1 after their task, 1 when deleted; of those that work at most 10% at a time"
            ]
        );
        let key =
            json!({ "model": { "apiKeySecretRef": { "name": "k" } }, "rollout": "Immediately", "maxUnavailable": 3 });
        let all = "spec.model.apiKeySecretRef: pods replaced: 3 now, 0 after their task, 1 when deleted; of those that work at most 3 at a time";
        assert_eq!(told(json!({}), key), [all]);
        assert_eq!(told(json!({}), json!({ "model": { "name": "m" }, "rollout": "OnDelete" })), [""; 0]);
    }

    #[test]
    fn a_lower_limit_stops_nobody() {
        let awake = "spec.maxConcurrentAgents: 4 agents are awake and stay so; no other starts until fewer are";
        assert_eq!(told(json!({}), json!({ "maxConcurrentAgents": 3 })), [awake]);
        assert_eq!(told(json!({}), json!({ "maxConcurrentAgents": 4 })), [""; 0]);
        assert_eq!(told(json!({ "maxConcurrentAgents": 3 }), json!({ "maxConcurrentAgents": 0 })), [""; 0]);
    }
}
