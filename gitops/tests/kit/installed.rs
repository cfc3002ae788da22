//! What users install, on a real apiserver: it is taken without a warning, and gives people the rights they should have.
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use komputer_tests::{
    cluster::LightCluster,
    kustomize::{documents, repository},
    node::eventually,
};
use kube::{Api, Client, api::PostParams};
use serde_json::{Value, json};

use crate::{
    files::kustomize,
    kinds::{Kind, kinds},
};

/// What restrains a namespace, as quotas do: whoever has the namespace sees it, and does not write it.
const RESTRAINS: [&str; 1] = ["KomputerBudget"];

/// Installs a kustomization but for cert-manager's kinds, which no light cluster has, and answers what kubectl complained.
fn install(cluster: &LightCluster, directory: &str) -> String {
    let objects = kustomize(directory).into_iter().filter(|object| object["apiVersion"] != "cert-manager.io/v1");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": objects.collect::<Vec<_>>() });
    let ended = cluster.try_kubectl(&["apply", "--server-side", "-f", "-"], &list.to_string()).unwrap();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    ended.stderr
}

#[test]
fn a_renamed_system_is_taken_without_a_warning_and_its_pods_are_restricted() {
    let cluster = LightCluster::start("installed").expect("a cluster");
    assert_eq!(install(&cluster, "examples/gitops/renamed"), "");

    // Silence means something: the namespace is labelled, and one that did not keep to it would be warned of.
    let host = json!([{ "op": "add", "path": "/spec/template/spec/hostNetwork", "value": true }]).to_string();
    let patch = ["patch", "deployment", "team-komputer-operator", "-n", "agents-system", "--type=json", "-p", &host];
    let ended = cluster.try_kubectl(&[&patch[..], &["--dry-run=server"]].concat(), "").unwrap();
    assert!(ended.stderr.contains("would violate PodSecurity \"restricted"), "{ended:?}");
}

/// Whether a ServiceAccount of namespace `team` may do that.
async fn may(client: &Client, account: &str, verb: &str, namespace: &str, kind: &Kind, subresource: &str) -> bool {
    let attributes = json!({
        "group": komputer_crds::GROUP, "resource": kind.plural, "subresource": subresource, "verb": verb,
        "namespace": if kind.namespaced { namespace } else { "" },
    });
    let user = format!("system:serviceaccount:team:{account}");
    let review = json!({ "metadata": {}, "spec": { "user": user, "resourceAttributes": attributes } });
    let reviews = Api::<SubjectAccessReview>::all(client.clone());
    let review = reviews.create(&PostParams::default(), &serde_json::from_value(review).unwrap()).await.unwrap();
    review.status.unwrap().allowed
}

#[tokio::test]
async fn whoever_has_a_namespace_has_its_agents_and_nothing_of_the_cluster() {
    let cluster = LightCluster::start_with_controllers("tenants").expect("a cluster");
    let client = cluster.client().await.unwrap();
    install(&cluster, "kustomize/base");
    cluster.kubectl(&["create", "namespace", "team"], "").unwrap();
    for (account, role) in [("tenant", "admin"), ("viewer", "view")] {
        let (role, subject) = (format!("--clusterrole={role}"), format!("--serviceaccount=team:{account}"));
        cluster.kubectl(&["create", "rolebinding", account, "-n", "team", &role, &subject], "").unwrap();
    }
    let agents = kinds().iter().find(|kind| kind.name == "KomputerAgent").unwrap();
    for (account, verb) in [("tenant", "create"), ("viewer", "list")] {
        let aggregated = || async { Ok(may(&client, account, verb, "team", agents, "").await.then_some(())) };
        eventually("the roles to be aggregated", aggregated).await.unwrap();
    }

    let mut wrong = Vec::new();
    for kind in kinds().iter().filter(|kind| kind.stored) {
        let here = kind.namespaced;
        let writes = here && !RESTRAINS.contains(&kind.name.as_str());
        let expected = [
            ("tenant", "create", "team", "", writes),
            ("tenant", "patch", "team", "", writes),
            ("tenant", "delete", "team", "", writes),
            ("tenant", "create", "default", "", false),
            ("tenant", "patch", "team", "status", false),
            ("viewer", "get", "team", "", here),
            ("viewer", "list", "team", "", here),
            ("viewer", "watch", "team", "", here),
            ("viewer", "create", "team", "", false),
            ("viewer", "list", "default", "", false),
        ];
        for (account, verb, namespace, subresource, allowed) in expected {
            if may(&client, account, verb, namespace, kind, subresource).await != allowed {
                wrong.push(format!("{account} {verb} {}/{subresource} in {namespace}: not {allowed}", kind.plural));
            }
        }
    }
    assert!(wrong.is_empty(), "kustomize/base/users/roles.yaml: {wrong:#?}");
    a_tenants_gitops_tool_applies_what_is_the_tenants(&cluster);
}

/// Flux impersonates a ServiceAccount, and Argo CD can.
fn a_tenants_gitops_tool_applies_what_is_the_tenants(cluster: &LightCluster) {
    // Nobody serves webhooks here.
    cluster.kubectl(&["delete", "validatingwebhookconfiguration", "komputer-webhooks"], "").unwrap();
    let apply = |input: &Value| {
        let arguments = ["apply", "--server-side", "-n", "team", "--as=system:serviceaccount:team:tenant", "-f", "-"];
        cluster.try_kubectl(&arguments, &input.to_string()).unwrap()
    };
    for example in [
        "examples/01-hello-world/agent.yaml",
        "examples/02-task/task.yaml",
        "examples/03-squad/squad.yaml",
        "examples/05-office/office.yaml",
    ] {
        let text = std::fs::read_to_string(repository(example)).unwrap();
        for object in documents(&text).unwrap() {
            let ended = apply(&object);
            assert_eq!(ended.code, Some(0), "{example}: {}", ended.stderr);
        }
    }
    // What a tenant may spend is not the tenant's to say.
    let budget = std::fs::read_to_string(repository("examples/04-budget/budget.yaml")).unwrap();
    let budget = documents(&budget).unwrap().remove(0);
    assert!(apply(&budget).stderr.contains("forbidden"));
    cluster.kubectl(&["apply", "-n", "team", "-f", "-"], &budget.to_string()).unwrap();
    let of_everybody = json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgentClusterTemplate",
        "metadata": { "name": "default" }, "spec": {},
    });
    assert!(apply(&of_everybody).stderr.contains("forbidden"));
}
