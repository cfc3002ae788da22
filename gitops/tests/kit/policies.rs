//! Policies by a real apiserver, each alone: what it refuses and with which words, and that it refuses nothing else.
use k8s_openapi::{
    api::admissionregistration::v1::ValidatingAdmissionPolicy,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use komputer_tests::{cluster::LightCluster, kustomize::repository, node::eventually};
use kube::{
    Api, Client,
    api::{DynamicObject, Patch, PatchParams, PostParams},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    files::{kustomize_of_user, text},
    kinds::kinds,
};

const NAMESPACE: &str = "team";
/// What the apiserver says before a policy's words.
const DENIED: &str = "denied request: ";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Suite {
    /// What its first variable is patched to be.
    allows: Option<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    #[serde(rename = "case")]
    what: String,
    /// What there is before the policy, and is changed to `object`.
    before: Option<Value>,
    object: Value,
    /// The words it is refused with.
    refused: Option<String>,
}

/// The policies there are, by directory.
fn policies() -> Vec<String> {
    let entries = std::fs::read_dir(repository("kustomize/components/policies")).unwrap();
    let directories = entries.map(Result::unwrap).filter(|entry| entry.path().join("policy.yaml").exists());
    directories.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn each_policy_alone_refuses_what_it_is_for_and_nothing_else() {
    let cluster = LightCluster::start_with_controllers("policies").expect("a cluster");
    let client = cluster.client().await.unwrap();
    install(&cluster, &client).await;
    the_type_check_is_awake(&cluster, &client).await;
    let policies = policies();
    assert_eq!(policies.len(), 5, "{policies:?}");
    for policy in policies {
        let suite: Suite = serde_yaml::from_str(&text(&format!("gitops/tests/kit/policies/{policy}.yaml"))).unwrap();
        try_policy(&cluster, &client, &policy, &suite).await;
    }
}

/// Installs the definitions as they are, but for conversion, which needs a webhook.
async fn install(cluster: &LightCluster, client: &Client) {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    for mut definition in komputer_crds::definitions().unwrap() {
        definition.spec.conversion = None;
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    cluster.kubectl(&["create", "namespace", NAMESPACE], "").unwrap();
}

async fn try_policy(cluster: &LightCluster, client: &Client, policy: &str, suite: &Suite) {
    for (number, case) in suite.cases.iter().enumerate() {
        if let Some(before) = &case.before {
            eventually("the object from before", || async {
                Ok(create(client, before, &name(policy, number), false).await.ok())
            })
            .await
            .unwrap();
        }
    }
    let manifests = manifests(policy, suite.allows.as_deref());
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &manifests).unwrap();
    for (number, case) in suite.cases.iter().enumerate() {
        let name = name(policy, number);
        if case.refused.is_some() {
            let refused = || async { Ok(attempt(client, case, &name).await.err()) };
            eventually(&format!("{policy} to refuse {}", case.what), refused).await.unwrap();
        }
        assert_eq!(attempt(client, case, &name).await.err(), case.refused, "{}", case.what);
    }
    for name in names_of_policies(&manifests) {
        assert_eq!(type_warnings(client, &name).await, Vec::<String>::new(), "{name}");
    }
    cluster.kubectl(&["delete", "--ignore-not-found", "-f", "-"], &manifests).unwrap();
    let passes = || async { Ok(attempt(client, &suite.cases[0], &name(policy, 0)).await.ok()) };
    eventually(&format!("{policy} to be gone"), passes).await.unwrap();
}

/// The name of a case's object.
fn name(policy: &str, number: usize) -> String {
    format!("{policy}-{number}")
}

/// The policy as a user installs it, patched as users patch it.
fn manifests(policy: &str, allows: Option<&str>) -> String {
    let component = format!("REPOSITORY/kustomize/components/policies/{policy}");
    let patch =
        allows.map(|allows| json!([{ "op": "replace", "path": "/spec/variables/0/expression", "value": allows }]));
    let target = json!({ "kind": "ValidatingAdmissionPolicy", "name": format!("komputer-{policy}") });
    let patches: Vec<_> =
        patch.map(|patch| json!({ "target": target, "patch": patch.to_string() })).into_iter().collect();
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "components": [component], "patches": patches,
    });
    let items = kustomize_of_user(&kustomization.to_string(), &[]);
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn names_of_policies(manifests: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(manifests).unwrap();
    let policies = list["items"].as_array().unwrap().iter().filter(|item| item["kind"] == "ValidatingAdmissionPolicy");
    policies.map(|policy| policy["metadata"]["name"].as_str().unwrap().to_owned()).collect()
}

/// Tries what a case does, without doing it, and answers the words it is refused with.
async fn attempt(client: &Client, case: &Case, name: &str) -> Result<(), String> {
    let result = if case.before.is_none() {
        create(client, &case.object, name, true).await
    } else {
        let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "spec": case.object["spec"] }));
        api(client, &case.object).patch(name, &parameters, &patch).await
    };
    match result {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.message.contains(DENIED) => {
            Err(status.message.split_once(DENIED).unwrap().1.to_owned())
        }
        Err(error) => panic!("{}: {error}", case.what),
    }
}

async fn create(client: &Client, object: &Value, name: &str, dry_run: bool) -> kube::Result<DynamicObject> {
    let resource = kinds().iter().find(|kind| kind.name == object["kind"] && kind.stored).unwrap().resource();
    let object = DynamicObject::new(name, &resource).data(json!({ "spec": object["spec"] }));
    api(client, &json!({ "kind": resource.kind }))
        .create(&PostParams { dry_run, ..PostParams::default() }, &object)
        .await
}

fn api(client: &Client, object: &Value) -> Api<DynamicObject> {
    let kind = kinds().iter().find(|kind| kind.name == object["kind"] && kind.stored).unwrap();
    if kind.namespaced {
        Api::namespaced_with(client.clone(), NAMESPACE, &kind.resource())
    } else {
        Api::all_with(client.clone(), &kind.resource())
    }
}

/// A policy that looks at a field that does not exist is warned of, so silence about ours means something.
async fn the_type_check_is_awake(cluster: &LightCluster, client: &Client) {
    let rule = json!({
        "apiGroups": [komputer_crds::GROUP], "apiVersions": ["v1beta1"], "operations": ["CREATE"],
        "resources": ["komputertasks"],
    });
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": { "name": "mistaken" },
        "spec": {
            "matchConstraints": { "resourceRules": [rule] },
            "validations": [{ "expression": "object.spec.nonsense == ''" }],
        },
    });
    cluster.kubectl(&["apply", "-f", "-"], &policy.to_string()).unwrap();
    let warnings = type_warnings(client, "mistaken").await;
    assert!(warnings.iter().any(|warning| warning.contains("undefined field 'nonsense'")), "{warnings:?}");
}

/// What the apiserver's type check says of a policy's expressions.
async fn type_warnings(client: &Client, name: &str) -> Vec<String> {
    let policies = Api::<ValidatingAdmissionPolicy>::all(client.clone());
    let checked = || async {
        let policy = policies.get(name).await?;
        let status = policy.status.filter(|status| status.observed_generation == policy.metadata.generation);
        Ok(status.and_then(|status| status.type_checking))
    };
    let checking = eventually("the policy's types to be checked", checked).await.unwrap();
    let warnings = checking.expression_warnings.into_iter().flatten();
    warnings.map(|warning| format!("{}: {}", warning.field_ref, warning.warning)).collect()
}

#[test]
fn templates_without_a_model_are_taken_for_what_they_give() {
    let policy = text("kustomize/components/policies/allowed-models/policy.yaml");
    assert!(policy.contains(&format!("orValue(\"{}\")", komputer_crds::DEFAULT_MODEL)));
}
