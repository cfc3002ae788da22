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

/// Agents hear only komputer, and speak only to names, komputer and the world outside of the cluster.
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
            ports: Some(vec![port("TCP", i32::from(PORT))]),
        }]),
        egress: Some(vec![dns(), komputer(system), outside()]),
        policy_types: Some(vec!["Ingress".into(), "Egress".into()]),
    };
    let [denies, allows] = NETWORK_POLICIES;
    [policy(denies, deny), policy(allows, allow)]
}

fn dns() -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule { to: None, ports: Some(vec![port("UDP", 53), port("TCP", 53)]) }
}

fn komputer(system: &str) -> NetworkPolicyEgressRule {
    NetworkPolicyEgressRule {
        to: Some(vec![namespace_peer(system)]),
        ports: Some(vec![port("TCP", 6379), port("TCP", 8080)]),
    }
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
