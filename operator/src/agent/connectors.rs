//! How an agent reaches its connectors, and what opens them.
use std::{collections::BTreeMap, sync::Arc};

use komputer_crds::v1beta1::{AuthType, ConnectorAuth, KomputerAgent, KomputerConnector, TaskPhase, Transport};
use komputer_events::connector::{Connector, Login, Server};
use kube::ResourceExt;

use super::{caches::Caches, decide::address_of, observed::Observed, spending};
use crate::{
    keys::Sensitive,
    vault::{Form, Need, SecretKey},
};

/// The agent's connectors that are there.
pub(super) fn of(agent: &KomputerAgent, caches: &Caches) -> Vec<Arc<KomputerConnector>> {
    let own = agent.namespace().unwrap_or_default();
    let found =
        agent.spec.connectors.iter().map(|reference| caches.connectors.get(&super::knowledge::at(reference, &own)));
    found.flatten().collect()
}

/// What has to be read before the agent can be told how it reaches its connectors; nothing where there is nothing to tell.
pub(super) fn need(observed: &Observed) -> Option<Need> {
    if observed.connectors.is_empty() {
        return None;
    }
    let (task, phase) = spending::next_task(observed)?;
    if observed.funds.shortage.is_some() && *phase == TaskPhase::Pending {
        return None; // it may be long until it begins
    }
    let pod = address_of(observed)?;
    let mut keys: Vec<_> =
        observed.connectors.iter().filter_map(|connector| Some((key_of(connector)?, form_of(connector)))).collect();
    keys.sort();
    keys.dedup();
    Some(Need { process: (pod.uid, pod.restarts), task: task.uid().unwrap_or_default(), keys })
}

/// How the agent reaches them with what was read.
pub(super) fn told(connectors: &[Arc<KomputerConnector>], secrets: &BTreeMap<SecretKey, Sensitive>) -> Vec<Connector> {
    let told = |connector: &Arc<KomputerConnector>| {
        let spec = &connector.spec;
        let server = match &spec.stdio {
            Some(stdio) => Server::Stdio { command: stdio.command.clone() },
            None => Server::Http { url: spec.url.clone().unwrap_or_default(), login: login(connector, secrets) },
        };
        Connector { name: connector.name_any(), server }
    };
    connectors.iter().map(told).collect()
}

fn key_of(connector: &KomputerConnector) -> Option<SecretKey> {
    let reference = connector.spec.auth.as_ref()?.secret_key_ref.as_ref()?;
    let (name, key) = (reference.name.clone(), reference.key.clone());
    Some(SecretKey { namespace: connector.namespace().unwrap_or_default(), name, key })
}

fn form_of(connector: &KomputerConnector) -> Form {
    match &connector.spec.auth {
        Some(auth) if auth.type_ == Some(AuthType::OAuth) => Form::OAuth(auth.token_url.clone()),
        _ => Form::Plain,
    }
}

fn login(connector: &KomputerConnector, secrets: &BTreeMap<SecretKey, Sensitive>) -> Option<Login> {
    let ConnectorAuth { type_, header_name, .. } = connector.spec.auth.as_ref()?;
    let secret = secrets.get(&key_of(connector)?)?.reveal().to_owned();
    Some(match type_.unwrap_or_default() {
        AuthType::Header => Login { header: header_name.clone()?, scheme: String::new(), secret },
        AuthType::Bearer | AuthType::OAuth => {
            Login { header: "Authorization".into(), scheme: "Bearer ".into(), secret }
        }
    })
}

/// The server that managers' tools come from.
const OFFICE: &str = "komputer";

/// Why no agent can use a connector, and what to do.
pub(crate) fn unusable(connector: &KomputerConnector) -> Option<&'static str> {
    if connector.spec.transport == Transport::SSE {
        return Some(
            "spec.transport: SSE is not supported, because the protocol has replaced it; set StreamableHTTP, and in spec.url \
             the server's address for that",
        );
    }
    (connector.name_any() == OFFICE)
        .then_some("metadata.name: komputer is the name of the tools that managers have; choose another")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn connector(name: &str, spec: serde_json::Value) -> KomputerConnector {
        let metadata = json!({ "name": name, "namespace": "tools" });
        let kind = json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerConnector" });
        let mut object = json!({ "metadata": metadata, "spec": spec });
        object.as_object_mut().unwrap().extend(kind.as_object().unwrap().clone());
        serde_json::from_value(object).unwrap()
    }

    fn by_http(auth: serde_json::Value) -> Arc<KomputerConnector> {
        let spec = json!({ "transport": "StreamableHTTP", "url": "https://mcp.example.com", "auth": auth });
        Arc::new(connector("github", spec))
    }

    #[test]
    fn each_way_to_log_in_is_told_as_a_header() {
        let reference = json!({ "name": "github", "key": "token" });
        let key = SecretKey { namespace: "tools".into(), name: "github".into(), key: "token".into() };
        let secrets = [(key.clone(), Sensitive::new("hunter2"))].into();
        let login = |auth| match told(&[by_http(auth)], &secrets).remove(0).server {
            Server::Http { login, .. } => login.map(|login| (login.header, login.scheme, login.secret)),
            Server::Stdio { .. } => panic!("it is reached by HTTP"),
        };
        let header = |name: &str, scheme: &str| Some((name.into(), scheme.into(), "hunter2".into()));
        let bearer = header("Authorization", "Bearer ");
        assert_eq!(login(json!({ "secretKeyRef": reference })), bearer);
        assert_eq!(login(json!({ "type": "OAuth", "secretKeyRef": reference })), bearer);
        let own = json!({ "type": "Header", "headerName": "X-Api-Key", "secretKeyRef": reference });
        assert_eq!(login(own), header("X-Api-Key", ""));
        assert_eq!(login(json!({})), None);
        assert_eq!(key_of(&by_http(json!({ "secretKeyRef": reference }))), Some(key));
        assert_eq!(form_of(&by_http(json!({ "secretKeyRef": reference }))), Form::Plain);
        let url = "https://auth.example.com/token";
        let refreshed = json!({ "type": "OAuth", "tokenURL": url, "secretKeyRef": reference });
        assert_eq!(form_of(&by_http(refreshed)), Form::OAuth(Some(url.into())));
    }

    #[test]
    fn a_program_is_told_as_it_is() {
        let spec = json!({ "transport": "Stdio", "stdio": { "command": ["npx", "-y", "mcp"] } });
        let told = told(&[Arc::new(connector("files", spec))], &BTreeMap::new());
        let command = vec!["npx".into(), "-y".into(), "mcp".into()];
        assert_eq!(told, [Connector { name: "files".into(), server: Server::Stdio { command } }]);
    }

    #[test]
    fn what_no_agent_can_use_says_what_to_do() {
        let spec = |transport: &str| json!({ "transport": transport, "url": "https://mcp.example.com" });
        assert!(unusable(&connector("a", spec("SSE"))).is_some_and(|words| words.contains("set StreamableHTTP")));
        assert!(unusable(&connector("komputer", spec("StreamableHTTP"))).is_some());
        assert_eq!(unusable(&connector("a", spec("StreamableHTTP"))), None);
    }
}
