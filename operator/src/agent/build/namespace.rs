use k8s_openapi::{
    api::{
        core::v1::ServiceAccount,
        networking::v1::{
            IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
            NetworkPolicyPort, NetworkPolicySpec,
        },
    },
    apimachinery::pkg::{
        apis::meta::v1::{LabelSelector, ObjectMeta},
        util::intstr::IntOrString,
    },
};
use komputer_events::task::PORT;

use super::{APP, shared_labels};
use crate::agent::build::shared::SEATS;

/// The account of agents' pods. It has no rights and no token.
pub(in crate::agent) const SERVICE_ACCOUNT: &str = "komputer-agent";

/// The policies of agents' pods: all is denied, and what an agent needs is allowed.
pub(in crate::agent) const NETWORK_POLICIES: [&str; 2] = ["komputer-agent-deny", "komputer-agent-allow"];

/// The account of the agents of `namespace`.
pub(in crate::agent) fn service_account(namespace: &str) -> ServiceAccount {
    ServiceAccount {
        metadata: metadata(namespace, SERVICE_ACCOUNT),
        automount_service_account_token: Some(false),
        ..Default::default()
    }
}

/// Agents hear only komputer, and speak only to names, Redis, the scripted model and the world outside of the cluster.
pub(in crate::agent) fn network_policies(namespace: &str, system: &str) -> [NetworkPolicy; 2] {
    let policy = |name: &str, spec| NetworkPolicy { metadata: metadata(namespace, name), spec: Some(spec) };
    let deny = NetworkPolicySpec {
        pod_selector: Some(agents()),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
        ..Default::default()
    };
    let allow = NetworkPolicySpec {
        pod_selector: Some(agents()),
        ingress: Some(vec![NetworkPolicyIngressRule {
            from: Some(vec![namespace_peer(system)]),
            // Agents of a squad listen each on a port of its own.
            ports: Some(vec![NetworkPolicyPort {
                end_port: Some(i32::from(PORT) + SEATS - 1),
                ..port("TCP", i32::from(PORT))
            }]),
        }]),
        egress: Some(vec![
            dns(),
            part(system, "komputer-redis", 6379),
            part(system, "komputer-scripted-model", 8080),
            outside(),
        ]),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
    };
    let [denies, allows] = NETWORK_POLICIES;
    [policy(denies, deny), policy(allows, allow)]
}

fn dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: None, ports: Some(vec![port("UDP", 53), port("TCP", 53)]) }
}

/// One part of komputer, and not the others beside it: the api is none of an agent's business.
fn part(system: &str, name: &str, number: i32) -> NetworkPolicyEgressRule {
    let pods = LabelSelector { match_labels: Some([(APP.0.into(), name.into())].into()), ..Default::default() };
    let peer = NetworkPolicyPeer { pod_selector: Some(pods), ..namespace_peer(system) };
    NetworkPolicyEgressRule { to: Some(vec![peer]), ports: Some(vec![port("TCP", number)]) }
}

/// HTTP(S) to public addresses: not to private networks, where the cluster is, nor to the metadata service.
fn outside() -> NetworkPolicyEgressRule {
    let private = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16"];
    let block = |cidr: &str, except: &[&str]| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.into(), except: Some(except.iter().map(|&range| range.into()).collect()) }),
        ..Default::default()
    };
    NetworkPolicyEgressRule {
        to: Some(vec![block("0.0.0.0/0", &private), block("::/0", &["fc00::/7", "fe80::/10"])]),
        ports: Some(vec![port("TCP", 443), port("TCP", 80), port("TCP", 22)]),
    }
}

fn agents() -> LabelSelector {
    LabelSelector { match_labels: Some([(APP.0.into(), APP.1.into())].into()), ..Default::default() }
}

fn namespace_peer(namespace: &str) -> NetworkPolicyPeer {
    let labels = [("kubernetes.io/metadata.name".into(), namespace.into())].into();
    let selector = LabelSelector { match_labels: Some(labels), ..Default::default() };
    NetworkPolicyPeer { namespace_selector: Some(selector), ..Default::default() }
}

fn port(protocol: &str, port: i32) -> NetworkPolicyPort {
    NetworkPolicyPort { protocol: Some(protocol.into()), port: Some(IntOrString::Int(port)), ..Default::default() }
}

fn metadata(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.into()),
        namespace: Some(namespace.into()),
        labels: Some(shared_labels()),
        ..Default::default()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn agents_reach_two_parts_of_komputer_and_no_private_network() {
        let [denies, allows] = network_policies("team", "komputer-system").map(|policy| policy.spec.unwrap());
        assert!(denies.ingress.is_none() && denies.egress.is_none(), "nothing is allowed by the one that denies");
        let egress = serde_json::to_value(allows.egress).unwrap();
        let system = json!({ "matchLabels": { "kubernetes.io/metadata.name": "komputer-system" } });
        let part = |name: &str, port: i32| {
            let pods = json!({ "matchLabels": { "app.kubernetes.io/name": name } });
            json!({
                "to": [{ "namespaceSelector": system, "podSelector": pods }],
                "ports": [{ "protocol": "TCP", "port": port }],
            })
        };
        assert_eq!(egress[1], part("komputer-redis", 6379));
        assert_eq!(egress[2], part("komputer-scripted-model", 8080));
        let excepted = egress[3]["to"][0]["ipBlock"]["except"].to_string();
        for network in ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"] {
            assert!(excepted.contains(network), "{network} is within reach");
        }
        assert_eq!(egress.as_array().unwrap().len(), 4);
    }
}
