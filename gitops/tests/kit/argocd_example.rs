//! `examples/gitops/argocd` is a repository that Argo CD could start from.
use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use komputer_tests::{
    cluster::LightCluster,
    kustomize::{documents, repository},
    node::eventually,
};
use kube::{Api, api::PostParams};
use serde_json::{Value, json};

use crate::files::{kustomize, kustomize_of_user, text};

const FLEET: &str = "examples/gitops/argocd";
const KOMPUTER: &str = "https://git.example.com/komputer//";

/// What Argo CD makes of a directory of the fleet, with this repository in the place of komputer's.
fn build(directory: &str) -> Vec<Value> {
    let directory = format!("{FLEET}/{directory}");
    let kustomization = text(&format!("{directory}/kustomization.yaml"));
    let kustomization = kustomization.replace(KOMPUTER, "REPOSITORY/").replace("?ref=v0.1.0", "");
    let files: Vec<_> = std::fs::read_dir(repository(&directory))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "kustomization.yaml")
        .map(|name| (name.clone(), text(&format!("{directory}/{name}"))))
        .collect();
    let files: Vec<_> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    kustomize_of_user(&kustomization, &files)
}

/// The Applications, by name.
fn applications() -> BTreeMap<String, Value> {
    let root = documents(&text(&format!("{FLEET}/root.yaml"))).unwrap();
    let applications = root.into_iter().chain(kustomize(&format!("{FLEET}/apps")));
    let name = |application: &Value| application["metadata"]["name"].as_str().unwrap().to_owned();
    applications.map(|application| (name(&application), application)).collect()
}

#[test]
fn the_root_makes_the_system_and_then_the_agents() {
    let applications = applications();
    assert_eq!(applications.keys().collect::<Vec<_>>(), ["agents", "fleet", "komputer"]);
    let wave = |name: &str| {
        let wave = &applications[name]["metadata"]["annotations"]["argocd.argoproj.io/sync-wave"];
        wave.as_str().unwrap().parse::<i32>().unwrap()
    };
    assert!(wave("komputer") < wave("agents"));
    for (name, application) in &applications {
        let path = application["spec"]["source"]["path"].as_str().unwrap();
        assert!(!build(path).is_empty(), "{name}: {path}");
        if name != "fleet" {
            let options = application["spec"]["syncPolicy"]["syncOptions"].to_string();
            assert!(options.contains("ServerSideApply=true") && !options.contains("Replace"), "{name}: {options}");
        }
    }
}

#[tokio::test]
async fn the_agents_are_taken_by_the_system_they_are_for() {
    let cluster = LightCluster::start("argocd").expect("a cluster");
    let client = cluster.client().await.unwrap();
    let definitions = Api::<CustomResourceDefinition>::all(client);
    for mut definition in komputer_crds::definitions().unwrap() {
        definition.spec.conversion = None;
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    // With the example's policies, and without webhooks, which no light cluster has.
    let policies = build("system")
        .into_iter()
        .filter(|object| object["kind"].as_str().is_some_and(|kind| kind.starts_with("ValidatingAdmissionPolicy")));
    apply(&cluster, policies.collect()).unwrap();
    let agents = build("agents");
    eventually("the agents to be taken", || async { Ok(Some(apply(&cluster, agents.clone())?)) }).await.unwrap();
    let refused = agents.into_iter().map(|mut object| {
        if object["kind"] == "KomputerAgentTemplate" {
            object["spec"]["model"]["name"] = "claude-opus-4-6".into();
        }
        object
    });
    let refused: Vec<_> = refused.collect();
    // Written in earnest before the policies are in force, it would be from before them and stay.
    let words = || async { Ok(dry_run(&cluster, refused.clone()).err().map(|error| error.to_string())) };
    let words = eventually("the policies to be in force", words).await.unwrap();
    assert!(words.contains("(claude-sonnet-*, claude-haiku-*); choose one of them"), "{words}");
}

fn apply(cluster: &LightCluster, objects: Vec<Value>) -> anyhow::Result<()> {
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &list(objects)).map(drop)
}

fn dry_run(cluster: &LightCluster, objects: Vec<Value>) -> anyhow::Result<()> {
    cluster.kubectl(&["apply", "--server-side", "--dry-run=server", "-f", "-"], &list(objects)).map(drop)
}

fn list(objects: Vec<Value>) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}
