//! Names, namespaces, generators and patches of users' kustomizations reach what they have to.
use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::files::{find, kustomize, kustomize_of_user};

const OF_AGENTS: &str = "
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: team
namePrefix: blue-
resources: [agents]
components: [REPOSITORY/kustomize/components/kinds]
secretGenerator:
- {name: github, literals: [token=t]}
- {name: anthropic, literals: [key=k]}
patches:
- patch: |
    apiVersion: komputer.komputer.ai/v1beta1
    kind: KomputerAgent
    metadata: {name: ada}
    spec:
      secretRefs: [{name: slack, $patch: delete}, {name: jira}]
      podTemplate: {spec: {containers: [{name: agent, env: [{name: B, value: b}]}]}}
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    metadata: {name: other}
    spec: {template: {spec: {containers: [{name: b, image: c}]}}}
";

const AGENTS: &str = "
apiVersion: komputer.komputer.ai/v1beta1
kind: KomputerAgent
metadata: {name: ada}
spec:
  templateRef: {name: large}
  secretRefs: [{name: github}, {name: slack}]
  podTemplate:
    spec:
      containers:
      - name: agent
        env: [{name: A, value: a}]
      - name: sidecar
        image: busybox
        envFrom: [{secretRef: {name: github}}]
---
apiVersion: komputer.komputer.ai/v1beta1
kind: KomputerAgentClusterTemplate
metadata: {name: large}
spec: {model: {apiKeySecretRef: {name: anthropic, key: key}}}
---
apiVersion: komputer.komputer.ai/v1beta1
kind: KomputerTask
metadata: {name: greet}
spec: {agentRef: {name: ada}, instructions: Say hello.}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
spec: {template: {spec: {containers: [{name: a, image: a}, {name: b, image: b}]}}}
";

#[test]
fn generators_prefixes_and_patches_reach_agents() {
    let objects = kustomize_of_user(&OF_AGENTS.replace("[agents]", "[agents.yaml]"), &[("agents.yaml", AGENTS)]);
    let secrets = objects.iter().filter(|object| object["kind"] == "Secret");
    let secrets: Vec<_> = secrets.map(|secret| secret["metadata"]["name"].as_str().unwrap()).collect();
    let generated = |name: &str| {
        let found = secrets.iter().find(|secret| secret.starts_with(&format!("blue-{name}-")));
        json!(*found.unwrap_or_else(|| panic!("no Secret of {name} among {secrets:?}")))
    };

    let agent = find(&objects, "KomputerAgent", "blue-ada");
    let names: BTreeSet<_> =
        agent["spec"]["secretRefs"].as_array().unwrap().iter().map(|of| of["name"].to_string()).collect();
    assert_eq!(names, [generated("github").to_string(), json!("jira").to_string()].into());
    assert_eq!(agent["spec"]["templateRef"]["name"], "blue-large");
    let containers = &agent["spec"]["podTemplate"]["spec"]["containers"];
    let container = |name: &str| named(containers, name);
    assert_eq!(container("sidecar")["envFrom"][0]["secretRef"]["name"], generated("github"));
    assert_eq!(named(&container("agent")["env"], "A")["value"], "a");
    assert_eq!(named(&container("agent")["env"], "B")["value"], "b");

    assert_eq!(find(&objects, "KomputerTask", "blue-greet")["spec"]["agentRef"]["name"], "blue-ada");
    let template = find(&objects, "KomputerAgentClusterTemplate", "blue-large");
    assert_eq!(template["metadata"].get("namespace"), None);
    assert_eq!(template["spec"]["model"]["apiKeySecretRef"]["name"], generated("anthropic"));

    let containers = &find(&objects, "Deployment", "blue-other")["spec"]["template"]["spec"]["containers"];
    assert_eq!((&named(containers, "a")["image"], &named(containers, "b")["image"]), (&json!("a"), &json!("c")));
}

/// The item of a list that has that name.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array().unwrap().iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("no {name} in {list}"))
}

/// Every text in `value`, but for what schemas say.
fn texts(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(name, _)| *name != "openAPIV3Schema");
            fields.flat_map(|(_, value)| texts(value)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn nothing_of_a_renamed_system_keeps_its_old_name() {
    let objects = kustomize("examples/gitops/renamed");
    let there: BTreeSet<_> = objects
        .iter()
        .map(|object| {
            let metadata = &object["metadata"];
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            (text(&object["kind"]), text(&metadata["namespace"]), text(&metadata["name"]))
        })
        .collect();
    let mut references = Vec::new();
    for object in &objects {
        let old: Vec<_> = texts(object).into_iter().filter(|text| text.contains("komputer-system")).collect();
        assert!(old.is_empty(), "{} {}: {old:?}", object["kind"], object["metadata"]["name"]);
        references.extend(references_of(object));
    }
    assert!(references.len() > 30, "{}", references.len());
    for (kind, namespace, name) in references {
        let found = there
            .iter()
            .any(|(of, place, called)| *of == kind && *called == name && (namespace.is_empty() || *place == namespace));
        assert!(found, "{kind} {namespace}/{name} is named, and does not exist");
    }
}

/// What an object names: kind, namespace (empty where the kind has none) and name.
fn references_of(object: &Value) -> Vec<(String, String, String)> {
    let own = object["metadata"]["namespace"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let named = |kind: &str, namespace: &str, name: &Value| (kind.to_owned(), namespace.to_owned(), text(name));
    let service = |service: &Value| ("Service".to_owned(), text(&service["namespace"]), text(&service["name"]));
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    match object["kind"].as_str().unwrap() {
        "CustomResourceDefinition" => {
            object.pointer("/spec/conversion/webhook/clientConfig/service").map(service).into_iter().collect()
        }
        "ValidatingWebhookConfiguration" => list(&object["webhooks"])
            .iter()
            .flat_map(|webhook| {
                let namespaces = list(&webhook["namespaceSelector"]["matchExpressions"][0]["values"]);
                let namespaces = namespaces.into_iter().filter(|namespace| namespace != "kube-system");
                let namespaces = namespaces.map(|namespace| named("Namespace", "", &namespace));
                [service(&webhook["clientConfig"]["service"])].into_iter().chain(namespaces).collect::<Vec<_>>()
            })
            .collect(),
        "ClusterRoleBinding" | "RoleBinding" => {
            let role = (text(&object["roleRef"]["kind"]), String::new(), text(&object["roleRef"]["name"]));
            let subjects = list(&object["subjects"]);
            let subjects = subjects.iter().map(|subject| {
                let namespace = subject["namespace"].as_str().unwrap_or(own);
                named("ServiceAccount", namespace, &subject["name"])
            });
            [role].into_iter().chain(subjects).collect()
        }
        "ClusterRole" => list(&object["rules"])
            .iter()
            .filter(|rule| rule["resources"] == json!(["validatingwebhookconfigurations"]))
            .flat_map(|rule| list(&rule["resourceNames"]))
            .map(|name| named("ValidatingWebhookConfiguration", "", &name))
            .collect(),
        "Deployment" | "StatefulSet" => {
            let pod = &object["spec"]["template"]["spec"];
            let account = pod.get("serviceAccountName").map(|name| named("ServiceAccount", own, name));
            let service = object["spec"].get("serviceName").map(|name| named("Service", own, name));
            let variables = list(&pod["containers"][0]["env"]).into_iter().filter_map(|variable| {
                let kind = match variable["name"].as_str()? {
                    "KOMPUTER_REDIS_SERVICE" | "KOMPUTER_WEBHOOKS_SERVICE" => "Service",
                    "KOMPUTER_WEBHOOKS_CONFIGURATION" => "ValidatingWebhookConfiguration",
                    _ => return None,
                };
                Some(named(kind, if kind == "Service" { own } else { "" }, &variable["value"]))
            });
            account.into_iter().chain(service).chain(variables).collect()
        }
        "ValidatingAdmissionPolicyBinding" => {
            vec![named("ValidatingAdmissionPolicy", "", &object["spec"]["policyName"])]
        }
        "Certificate" => vec![named("Issuer", own, &object["spec"]["issuerRef"]["name"])],
        _ => Vec::new(),
    }
}

#[test]
fn a_renamed_certificate_is_for_the_renamed_service() {
    let objects = kustomize("examples/gitops/renamed");
    let certificate = find(&objects, "Certificate", "team-komputer-webhooks");
    let names =
        ["team-komputer-webhooks.agents-system.svc", "team-komputer-webhooks.agents-system", "team-komputer-webhooks"];
    assert_eq!(certificate["spec"]["dnsNames"], json!(names));
    for object in objects.iter().filter(|object| {
        ["CustomResourceDefinition", "ValidatingWebhookConfiguration"].contains(&object["kind"].as_str().unwrap())
    }) {
        let from = &object["metadata"]["annotations"]["cert-manager.io/inject-ca-from"];
        assert_eq!(from, "agents-system/team-komputer-webhooks", "{}", object["metadata"]["name"]);
    }
}
