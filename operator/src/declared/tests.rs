use std::sync::Arc;

use jiff::Timestamp;
use komputer_crds::v1beta1::{
    KomputerAgentClusterTemplate, KomputerAgentTemplate, KomputerConfig, KomputerConnector, KomputerMemory,
    StatusConditions,
};
use komputer_events::AgentId;
use serde_json::{Value, json};

use super::{
    config, decide,
    decide::{Declared, Observed},
    template,
};

fn object<K: Declared>(spec: Value) -> K {
    let metadata = json!({ "name": "a", "namespace": "team", "uid": "u", "generation": 3 });
    serde_json::from_value(json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata, "spec": spec,
    }))
    .unwrap()
}

/// Ready's status and reason, what second condition there is, and what people are told.
fn standing<K: Declared>(object: K, facts: K::Facts) -> [String; 4] {
    let observed = Observed {
        object: Arc::new(object),
        facts,
        namespace_is_going: false,
        written: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let status = decide::decide(&observed).status.unwrap();
    let conditions = status.conditions();
    let second = conditions.get(1).map(|second| second.type_.clone()).unwrap_or_default();
    assert!(conditions.iter().all(|condition| condition.observed_generation == Some(3)));
    [conditions[0].status.clone(), conditions[0].reason.clone(), second, conditions[0].message.clone()]
}

#[track_caller]
fn stands<K: Declared>(object: K, facts: K::Facts, expected: [&str; 4]) {
    assert_eq!(standing(object, facts), expected);
}

#[test]
fn a_template_says_what_its_key_lacks() {
    let plain = || object::<KomputerAgentTemplate>(json!({}));
    stands(plain(), template::Facts::default(), ["True", "Available", "", "Agents can be made from it"]);
    let without = |key| template::Facts { without_key: Some(key), ..Default::default() };
    let not_granted = without(template::WithoutKey::NotGranted { namespace: "other".into() });
    let message =
        "spec.model.apiKeySecretRef: a Secret of namespace other is not granted; name one of its own namespace";
    stands(plain(), not_granted, ["False", "ReferenceNotGranted", "Stalled", message]);

    let lacking = without(template::WithoutKey::Missing { secret: "s/claude".into(), key: "k".into() });
    let message = "spec.model.apiKeySecretRef: Secret s/claude: key k is missing; create it, or name another";
    let cluster = object::<KomputerAgentClusterTemplate>(json!({}));
    stands(cluster, lacking, ["Unknown", "DependencyNotReady", "Reconciling", message]);
}

#[test]
fn a_spec_that_admission_would_have_refused_is_stalled_in_the_same_words() {
    let spec = json!({ "podTemplate": { "spec": { "hostPID": true } } });
    let message =
        "spec.podTemplate.spec.hostPID: Forbidden: it lets the agent see and signal the node's processes; remove it";
    let invalid = object::<KomputerAgentTemplate>(spec);
    stands(invalid, template::Facts::default(), ["False", "InvalidSpec", "Stalled", message]);
}

#[test]
fn only_the_oldest_config_counts() {
    let config = || object::<KomputerConfig>(json!({ "redis": { "address": "r:6379" } }));
    let at = |redis: &str| config::Facts { redis: redis.into(), ..config::Facts::default() };
    stands(config(), at("r:6379"), ["True", "Available", "", "Redis is at r:6379"]);
    let message =
        "Redis is at q:6379, as the operator's --redis-address says, and not at spec.redis.address; make them equal";
    stands(config(), at("q:6379"), ["True", "Available", "", message]);
    let younger = config::Facts { older: Some("default".into()), ..at("r:6379") };
    let message = "KomputerConfig default is older and counts alone; delete one of them";
    stands(config(), younger, ["False", "Conflicted", "Stalled", message]);
}

#[test]
fn a_connector_that_no_agent_can_use_says_so() {
    let spec = |transport: &str| json!({ "transport": transport, "url": "https://mcp.example.com" });
    let connector = |transport: &str| object::<KomputerConnector>(spec(transport));
    stands(connector("StreamableHTTP"), [].into(), ["True", "Available", "", "Agents can use it"]);
    let message = "spec.transport: SSE is not supported, because the protocol has replaced it; set StreamableHTTP, and in \
                   spec.url the server's address for that";
    stands(connector("SSE"), [].into(), ["False", "ConnectorNotSupported", "Stalled", message]);
}

#[test]
fn what_agents_have_says_which_agents() {
    let agents = [AgentId::new("team", "ada").unwrap(), AgentId::new("other", "bob").unwrap()];
    let memory = object::<KomputerMemory>(json!({ "content": "c" }));
    let verdict = memory.judge(&agents.into());
    assert_eq!(
        (verdict.status.attached_agents, verdict.status.agent_names),
        (Some(2), vec!["other/bob".into(), "ada".into()])
    );
    let many = (0..100).map(|index| AgentId::new("team", format!("a{index}")).unwrap()).collect();
    let verdict = memory.judge(&many);
    assert_eq!((verdict.status.attached_agents, verdict.status.agent_names.len()), (Some(100), 64));
}
