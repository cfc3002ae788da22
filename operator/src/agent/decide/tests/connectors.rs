//! What an agent is told of its connectors, and when it waits.
use komputer_crds::v1beta1::KomputerConnector;
use komputer_events::connector::{Connector, Login, Server};

use super::*;
use crate::{
    agent::connectors,
    vault::{AGAIN, Form, Need, Opened, SecretKey, Secrets},
};

fn github() -> SecretKey {
    SecretKey { namespace: "tools".into(), name: "github".into(), key: "token".into() }
}

/// An agent with a connector of another namespace, and a task in that phase.
fn connected(phase: TaskPhase) -> Observed {
    let auth = json!({ "secretKeyRef": { "name": "github", "key": "token" } });
    let connector: KomputerConnector = serde_json::from_value(json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerConnector",
        "metadata": { "name": "mcp", "namespace": "tools" },
        "spec": { "transport": "StreamableHTTP", "url": "https://mcp.example.com", "auth": auth },
    }))
    .unwrap();
    let mut observed = awake();
    observed.connectors = vec![Arc::new(connector)];
    observed.tasks = vec![task("a", phase)];
    observed
}

fn opened(until: Option<Timestamp>) -> Opened {
    Opened::Complete(Secrets { by_key: [(github(), Sensitive::new("hunter2"))].into(), until })
}

fn said(observed: &Observed) -> Vec<&'static str> {
    let name = |call: &Call| match call {
        Call::Connect { .. } => "connect",
        Call::PutTask { .. } => "task",
        Call::CancelTask { .. } => "cancel",
        _ => "",
    };
    decide(observed).calls.iter().map(name).filter(|name| !name.is_empty()).collect()
}

#[test]
fn a_task_is_handed_over_once_what_opens_its_connectors_is_read_and_told() {
    let mut observed = connected(TaskPhase::Pending);
    let need = Need { process: ("p1".into(), 0), task: "a-uid".into(), keys: vec![(github(), Form::Plain)] };
    assert_eq!(connectors::need(&observed), Some(need.clone()));
    assert_eq!(said(&observed), [""; 0], "it is being read");
    observed.secrets = opened(None);
    assert_eq!(said(&observed), ["connect", "task"]);
    let plan = decide(&observed);
    let told = plan.calls.iter().find_map(|call| match call {
        Call::Connect { task, connectors, seal, .. } => Some((task.clone(), connectors.clone(), seal.clone())),
        _ => None,
    });
    let login = Login { header: "Authorization".into(), scheme: "Bearer ".into(), secret: "hunter2".into() };
    let server = Server::Http { url: "https://mcp.example.com".into(), login: Some(login) };
    let expected = vec![Connector { name: "mcp".into(), server }];
    assert_eq!(told, Some(("a-uid".into(), expected, observed.master.derive(Audience::Sealed, "u1"))));
    assert!(!format!("{plan:?}").contains("hunter2"), "no plan shows it");

    let status = json!({ "name": "agent", "ready": true, "restartCount": 2 });
    let pod = Arc::make_mut(observed.pod.as_mut().unwrap());
    pod.status.container_statuses = vec![serde_json::from_value(status).unwrap()];
    let process = ("p1".into(), 2);
    assert_eq!(
        connectors::need(&observed),
        Some(Need { process, ..need }),
        "a process that starts again has it read again"
    );
    observed.tasks.clear();
    assert_eq!(connectors::need(&observed), None, "nobody needs it");
}

#[test]
fn what_is_to_be_refreshed_is_looked_at_in_time() {
    let mut observed = connected(TaskPhase::Running);
    observed.secrets = opened(Some(observed.now + Duration::from_mins(1)));
    assert_eq!(decide(&observed).again, Some(Duration::from_mins(1)));
    observed.secrets = opened(Some(observed.now));
    assert_eq!((decide(&observed).again, said(&observed)), (Some(AGAIN), vec!["connect", "task"]));
}

#[test]
fn what_is_missing_is_said_and_looked_for_again() {
    let mut observed = connected(TaskPhase::Pending);
    observed.secrets = Opened::Lacks("Secret tools/github: key token is missing; add it".into());
    let plan = decide(&observed);
    let words = "The task waits for what opens its connectors: Secret tools/github: key token is missing; add it";
    assert_eq!((standing(&plan).1.as_str(), standing(&plan).2.as_str()), ("DependencyNotReady", words));
    assert_eq!(plan.reports.iter().map(|report| report.message.as_str()).collect::<Vec<_>>(), [words]);
    assert_eq!((said(&observed), plan.again), (vec![], Some(AGAIN)));

    let mut observed = connected(TaskPhase::Running);
    observed.secrets = Opened::Lacks("Secret tools/github does not exist".into());
    assert_eq!(said(&observed), ["task"], "the agent waits by itself");
    let (task, _) = &mut observed.tasks[0];
    Arc::make_mut(task).spec.cancel = Some(true);
    assert_eq!(said(&observed), ["task", "cancel"]);
}

#[test]
fn an_agent_without_connectors_is_told_of_none_and_one_whose_connector_nobody_can_use_is_stalled() {
    let mut observed = connected(TaskPhase::Pending);
    observed.connectors.clear();
    assert_eq!((connectors::need(&observed), said(&observed)), (None, vec!["task"]));
    observed.knowledge = Knowledge::Unusable("spec.connectors[0]: SSE is not supported".into());
    assert_eq!(standing(&decide(&observed)).1, "ConnectorNotSupported");
}
