use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use komputer_crds::v1beta1::{AgentPhase, KomputerAgent, KomputerTask, StatusConditions, TaskPhase, Tokens};
use komputer_events::Money;
use kube::{ResourceExt, runtime::reflector::Store};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

/// How many agents and tasks stand where, worked out when somebody asks.
#[derive(Clone)]
pub struct Population {
    /// All agents.
    pub agents: Store<KomputerAgent>,
    /// All tasks.
    pub tasks: Store<KomputerTask>,
}

impl fmt::Debug for Population {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str("Population")
    }
}

/// What a look at all objects comes to.
#[derive(Debug, Default, PartialEq)]
struct Counts {
    agents: BTreeMap<String, i64>,
    tasks: BTreeMap<String, i64>,
    /// Since when the agent waits that has waited longest until it may be awake.
    queued_since: Option<Timestamp>,
    /// When the task was made that has waited longest for its agent.
    pending_since: Option<Timestamp>,
    cost: Money,
    tokens: Tokens,
}

impl Counts {
    fn add_agent(&mut self, agent: &KomputerAgent) {
        let phase = agent.status.as_ref().and_then(|status| status.phase);
        *self.agents.entry(phase.map_or_else(|| "Unseen".into(), |phase| format!("{phase:?}"))).or_default() += 1;
        let Some(status) = &agent.status else { return };
        let cost = status.total_cost_usd.as_deref().and_then(|cost| cost.parse().ok());
        self.cost = self.cost + cost.unwrap_or_default();
        self.tokens += status.tokens.unwrap_or_default();
        if status.phase == Some(AgentPhase::Queued) {
            let ready = status.conditions().iter().find(|condition| condition.type_ == "Ready");
            earliest(&mut self.queued_since, ready.map(|ready| ready.last_transition_time.0));
        }
    }

    fn add_task(&mut self, task: &KomputerTask) {
        *self.tasks.entry(format!("{:?}", task.phase())).or_default() += 1;
        if task.phase() == TaskPhase::Pending {
            earliest(&mut self.pending_since, task.creation_timestamp().map(|made| made.0));
        }
    }
}

/// As the Messages API calls them.
fn by_type(tokens: Tokens) -> [(String, i64); 4] {
    let Tokens { input, output, cache_read, cache_creation } = tokens;
    [("input", input), ("output", output), ("cache_read", cache_read), ("cache_creation", cache_creation)]
        .map(|(type_, count)| (type_.to_owned(), count))
}

fn earliest(known: &mut Option<Timestamp>, other: Option<Timestamp>) {
    *known = known.iter().copied().chain(other).min();
}

impl Collector for Population {
    fn encode(&self, mut to: DescriptorEncoder<'_>) -> fmt::Result {
        let mut counts = Counts::default();
        self.agents.state().iter().for_each(|agent| counts.add_agent(agent));
        self.tasks.state().iter().for_each(|task| counts.add_task(task));
        let now = Timestamp::now();
        let age =
            |since: Option<Timestamp>| since.map_or(0.0, |since| now.duration_since(since).as_secs_f64().max(0.0));
        family(&mut to, "agents", "Agents by phase", "phase", counts.agents)?;
        family(&mut to, "tasks", "Tasks by phase", "phase", counts.tasks)?;
        let help = "Tokens that all agents have used that there are";
        family(&mut to, "agents_tokens", help, "type", by_type(counts.tokens))?;
        let help = "How long the agent has waited that has waited longest until it may be awake";
        gauge(&mut to, "oldest_queued_agent_age_seconds", help, age(counts.queued_since))?;
        let help = "How long the task has waited that has waited longest for its agent";
        gauge(&mut to, "oldest_pending_task_age_seconds", help, age(counts.pending_since))?;
        gauge(
            &mut to,
            "agents_cost_usd",
            "US dollars that all agents have cost that there are",
            counts.cost.to_string().parse().unwrap_or_default(),
        )
    }
}

const PREFIX: &str = "komputer_operator_";

pub(super) fn family(
    to: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    counts: impl IntoIterator<Item = (String, i64)>,
) -> fmt::Result {
    let name = format!("{PREFIX}{name}");
    let mut family = to.encode_descriptor(&name, help, None, MetricType::Gauge)?;
    for (value, count) in counts {
        ConstGauge::new(count).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}

fn gauge(to: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: f64) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(to.encode_descriptor(&format!("{PREFIX}{name}"), help, None, gauge.metric_type())?)
}

#[cfg(test)]
mod tests {
    use komputer_crds::v1beta1::{KomputerAgentSpec, KomputerAgentStatus, KomputerTaskSpec};
    use komputer_telemetry::Registry;
    use kube::runtime::{reflector, watcher::Event};
    use serde_json::json;

    use super::*;

    fn agent(name: &str, status: serde_json::Value) -> KomputerAgent {
        let mut agent = KomputerAgent::new(name, KomputerAgentSpec::default());
        agent.metadata.namespace = Some("team-with-a-name".into());
        agent.status = serde_json::from_value::<Option<KomputerAgentStatus>>(status).unwrap();
        agent
    }

    #[test]
    fn agents_and_tasks_are_counted_by_phase_and_never_named() {
        let (agents, mut of_agents) = reflector::store();
        let (tasks, mut of_tasks) = reflector::store();
        let since = "2026-01-01T00:00:00Z";
        let ready = json!({ "type": "Ready", "status": "Unknown", "reason": "Queued", "message": "", "lastTransitionTime": since });
        for agent in [
            agent(
                "ada",
                json!({ "phase": "Idle", "totalCostUSD": "1.25", "tokens": { "input": 5, "output": 7, "cacheRead": 2 } }),
            ),
            agent(
                "bob",
                json!({ "phase": "Queued", "totalCostUSD": "0.5", "tokens": { "output": 1 }, "conditions": [ready] }),
            ),
            agent("eve", json!(null)),
        ] {
            of_agents.apply_watcher_event(&Event::Apply(agent));
        }
        let mut task = KomputerTask::new("t", KomputerTaskSpec::default());
        task.metadata.namespace = Some("team-with-a-name".into());
        of_tasks.apply_watcher_event(&Event::Apply(task));
        let registry = Registry::new("komputer-operator");
        registry.register_collector(Population { agents, tasks });
        let text = registry.encoded().unwrap();
        let says = |line: &str| assert!(text.contains(&format!("\nkomputer_operator_{line}\n")), "{line} in {text}");
        says(r#"agents{phase="Idle"} 1"#);
        says(r#"agents{phase="Queued"} 1"#);
        says(r#"agents{phase="Unseen"} 1"#);
        says(r#"tasks{phase="Pending"} 1"#);
        says("agents_cost_usd 1.75");
        says(r#"agents_tokens{type="input"} 5"#);
        says(r#"agents_tokens{type="output"} 8"#);
        says(r#"agents_tokens{type="cache_read"} 2"#);
        says("oldest_pending_task_age_seconds 0.0");
        assert!(!text.contains("oldest_queued_agent_age_seconds 0.0"), "{text}");
        assert!(!text.contains("team-with-a-name") && !text.contains("ada"), "{text}");
    }
}
