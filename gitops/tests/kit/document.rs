//! Every YAML and every kubectl command of docs/gitops.md works as it stands there.
use komputer_tests::{cluster::LightCluster, document::yaml_blocks, kustomize::repository};
use serde_json::{Value, json};

use crate::files::{find, kustomize_of_user, text};

/// What a user has, beside what the document adds to it.
const ARGO_CD: &str = "
apiVersion: v1
kind: ConfigMap
metadata: {name: argocd-cm}
data: {of.the.user: stays}
";

/// The objects of a block that is a part of a kustomization.
fn build(block: &str) -> Vec<Value> {
    let resources = if block.contains("resources:") { "" } else { "resources: [argo-cd.yaml]\n" };
    let kustomization = format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{resources}{block}");
    kustomize_of_user(&kustomization.replace("KOMPUTER/", "REPOSITORY/"), &[("argo-cd.yaml", ARGO_CD)])
}

fn apply(cluster: &LightCluster, objects: Vec<Value>) {
    let here = objects.into_iter().filter(|object| object["apiVersion"] != "cert-manager.io/v1");
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": here.collect::<Vec<_>>() }).to_string();
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &list).unwrap();
}

#[test]
fn what_the_document_says_works_as_it_stands_there() {
    let document = text("docs/gitops.md");
    let cluster = LightCluster::start("document").expect("a cluster");
    for namespace in ["argocd", "komputer-system"] {
        cluster.kubectl(&["create", "namespace", namespace], "").unwrap();
    }
    let (metadata, kustomizations): (Vec<_>, Vec<_>) =
        yaml_blocks(&document).into_iter().partition(|block| block.starts_with("metadata:"));
    assert_eq!((metadata.len(), kustomizations.len()), (1, 6));
    for block in kustomizations {
        apply(&cluster, build(block));
    }
    guards_are_those_of_the_definitions(metadata[0]);

    cluster
        .kubectl(&["-n", "komputer-system", "create", "secret", "generic", "komputer-webhooks-certificates"], "")
        .unwrap();
    cluster.kubectl(&["-n", "argocd", "create", "-f", "-"], ARGO_CD).unwrap();
    let commands: Vec<_> = document.lines().filter_map(|line| line.strip_prefix("    kubectl ")).collect();
    assert_eq!(commands.len(), 5, "{commands:#?}");
    let authority = format!("=ca.crt={}", cluster.certificate("webhook-clients-ca.crt").display());
    for command in commands {
        let command = command.replace("KOMPUTER/", repository("").to_str().unwrap()).replace("=ca.crt", &authority);
        cluster.kubectl(&command.split_whitespace().collect::<Vec<_>>(), "").unwrap();
    }
    let argo: Value =
        serde_json::from_str(&cluster.kubectl(&["-n", "argocd", "get", "cm", "argocd-cm", "-o", "json"], "").unwrap())
            .unwrap();
    assert_eq!(argo["data"]["of.the.user"], "stays");
    assert!(argo["data"]["resource.customizations.health.komputer.komputer.ai_KomputerTask"].is_string());
}

/// What keeps an object is what keeps the definitions.
fn guards_are_those_of_the_definitions(block: &str) {
    let block: Value = serde_yaml::from_str(block).unwrap();
    let definition = json!(komputer_crds::definitions().unwrap()[0]);
    for (name, value) in block["metadata"]["annotations"].as_object().unwrap() {
        let ours = definition["metadata"]["annotations"][name].as_str().unwrap_or_default();
        assert!(ours.contains(value.as_str().unwrap()), "{name}: {ours}");
    }
}

#[test]
fn patched_policies_allow_what_the_document_says() {
    let document = text("docs/gitops.md");
    let block = yaml_blocks(&document).into_iter().find(|block| block.contains("required-budget")).unwrap();
    let objects = build(block);
    let first = |name: &str| &find(&objects, "ValidatingAdmissionPolicy", name)["spec"]["variables"][0];
    let allowed = json!({ "name": "allowed", "expression": r#"["claude-sonnet-*", "claude-haiku-4-5"]"# });
    assert_eq!(first("komputer-allowed-models"), &allowed);
    assert_eq!(first("komputer-required-budget"), &json!({ "name": "limit", "expression": r#""2.50""# }));
}
