//! kstatus, Argo CD and Flux say of every kind in every situation what `states.yaml` says, and so does the document.
use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use k8s_openapi::{
    api::core::v1::Namespace,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps},
};
use komputer_operator::conditions::{Progress, Standing, conditions};
use komputer_tests::{cluster::LightCluster, node::eventually};
use kube::{
    Api, Client,
    api::{DeleteParams, DynamicObject, Patch, PatchParams, PostParams},
};
use serde_json::{Value, json};

use crate::{
    files::{find, kustomize, text},
    judge::{Judge, Verdict},
    kinds::{Kind, kinds},
    states::{FINALIZER, Observed, State, states},
};

/// Every situation of every kind that comes into it.
fn cases() -> Vec<(State, Kind)> {
    let states = states();
    let of_kind = |kind: &Kind| states.iter().map(|state| (state.clone(), kind.clone())).collect::<Vec<_>>();
    kinds().iter().flat_map(of_kind).filter(|(state, kind)| state.concerns(kind)).collect()
}

/// What the tools say other than the table.
fn disagreements(cases: &[(State, Kind)], verdicts: &[Verdict]) -> Vec<String> {
    assert_eq!(cases.len(), verdicts.len());
    let disagreement = |((state, kind), verdict): (&(State, Kind), &Verdict)| {
        let said = (&verdict.kstatus, &verdict.argo.status, &verdict.flux);
        let of = format!("{} {}, {}", kind.name, kind.version, state.situation);
        (said != (&state.kstatus, &state.argo, &state.flux)).then(|| format!("{of}: {said:?}"))
    };
    cases.iter().zip(verdicts).filter_map(disagreement).collect()
}

#[test]
fn every_tool_says_of_every_kind_what_the_table_says() {
    let cases = cases();
    let objects: Vec<_> = cases.iter().map(|(state, kind)| state.object(kind)).collect();
    let disagreements = disagreements(&cases, &Judge::new().judge(&objects));
    assert!(disagreements.is_empty(), "{disagreements:#?}");
    for state in states() {
        assert!(cases.iter().any(|(case, _)| case.situation == state.situation), "no kind is {}", state.situation);
    }
}

#[tokio::test]
async fn a_real_apiserver_makes_no_difference() {
    let cluster = LightCluster::start("health").expect("a cluster");
    let client = cluster.client().await.unwrap();
    install(&client).await;
    let cases: Vec<_> = cases().into_iter().filter(|(_, kind)| kind.stored).collect();
    let mut objects = Vec::new();
    for (number, (state, kind)) in cases.iter().enumerate() {
        objects.push(bring_about(&client, &format!("situation-{number}"), state, kind).await);
    }
    let disagreements = disagreements(&cases, &Judge::new().judge(&objects));
    assert!(disagreements.is_empty(), "{disagreements:#?}");
}

/// Installs the definitions. What a spec may be is not tested here, so anything may be one.
async fn install(client: &Client) {
    let definitions = Api::<CustomResourceDefinition>::all(client.clone());
    for mut definition in komputer_crds::definitions().unwrap() {
        definition.spec.conversion = None;
        for version in &mut definition.spec.versions {
            version.selectable_fields = None;
            version.schema.as_mut().unwrap().open_api_v3_schema = Some(without_rules(&json!(version.schema)));
        }
        definitions.create(&PostParams::default(), &definition).await.unwrap();
    }
    let namespaces = Api::<Namespace>::all(client.clone());
    eventually("the default namespace", || async { Ok(namespaces.get_opt("default").await?) }).await.unwrap();
}

fn without_rules(schema: &Value) -> JSONSchemaProps {
    let mut schema = schema["openAPIV3Schema"].clone();
    schema.as_object_mut().unwrap().retain(|name, _| name != "x-kubernetes-validations" && name != "required");
    schema["properties"]["metadata"] = json!({ "type": "object" });
    schema["properties"]["spec"] = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    serde_json::from_value(schema).unwrap()
}

/// Does to an object what people and the operator do until it is in that situation, and reads it back.
async fn bring_about(client: &Client, name: &str, state: &State, kind: &Kind) -> Value {
    let resource = kind.resource();
    let objects: Api<DynamicObject> = if kind.namespaced {
        Api::namespaced_with(client.clone(), "default", &resource)
    } else {
        Api::all_with(client.clone(), &resource)
    };
    let mut object = DynamicObject::new(name, &resource).data(json!({ "spec": state.spec(kind) }));
    object.metadata.finalizers = state.deleting.then(|| vec![FINALIZER.into()]);
    // A definition is served a moment after it is there.
    let create = || async { Ok(objects.create(&PostParams::default(), &object).await.ok()) };
    eventually("the kind to be served", create).await.unwrap();
    if state.deleting {
        objects.delete(name, &DeleteParams::default()).await.unwrap();
    }
    if state.observed != Observed::Never {
        let generation = objects.get(name).await.unwrap().metadata.generation.unwrap();
        let status = Patch::Merge(json!({ "status": state.status(generation) }));
        objects.patch_status(name, &PatchParams::default(), &status).await.unwrap();
    }
    serde_json::to_value(objects.get(name).await.unwrap()).unwrap()
}

#[test]
fn the_operator_writes_the_conditions_of_the_table() {
    let mut seen = BTreeSet::new();
    for state in states() {
        let Some(name) = &state.progress else { continue };
        let progress =
            [Progress::Progressing, Progress::Retrying, Progress::Stalled, Progress::Done, Progress::Deleting]
                .into_iter()
                .find(|progress| format!("{progress:?}") == *name);
        seen.insert(name.clone());
        let ready = state.conditions["Ready"].split_once('/').unwrap().1.to_owned();
        let standing = Standing { progress: progress.unwrap(), reason: ready.leak(), message: state.message() };
        let written = conditions(&standing, None, Some(2), &[], "2026-01-01T00:00:00Z".parse::<Timestamp>().unwrap());
        assert_eq!(json!(written), state.status(2)["conditions"], "{}", state.situation);
    }
    assert_eq!(seen.len(), 5, "{seen:?}");
}

#[test]
fn argo_cd_gets_a_script_for_every_kind_and_keeps_what_it_has() {
    let objects = kustomize("examples/gitops/argocd/argo-cd");
    let data = &find(&objects, "ConfigMap", "argocd-cm")["data"];
    let script = text("kustomize/components/argocd-health/resource_customizations/komputer.komputer.ai/_/health.lua");
    for kind in kinds() {
        let key = format!("resource.customizations.health.{}_{}", komputer_crds::GROUP, kind.name);
        assert!(data[&key] == script, "kustomize/components/argocd-health lacks {key}; add it");
    }
    let objects = kustomize("gitops/tests/kit/argocd-health");
    let data = &find(&objects, "ConfigMap", "argocd-cm")["data"];
    assert_eq!(data["resource.customizations"], "example.com/Widget: {health.lua: 'return {status = \"Healthy\"}'}\n");
}

#[test]
fn the_document_shows_the_table() {
    let mut table = String::new();
    for state in states() {
        let condition = |type_: &str| state.conditions.get(type_).map_or(String::new(), |found| format!("`{found}`"));
        let observed = match state.observed {
            Observed::Current => "the generation",
            Observed::Before => "an older one",
            Observed::Never => "-1",
        };
        let [ready, reconciling, stalled] = ["Ready", "Reconciling", "Stalled"].map(condition);
        let State { situation, kstatus, argo, flux, .. } = state;
        writeln!(
            table,
            "| {situation} | {ready} | {reconciling} | {stalled} | {observed} | {kstatus} | {argo} | {flux} |"
        )
        .unwrap();
    }
    assert!(text("docs/gitops.md").contains(&table), "docs/gitops.md has to show this table:\n{table}");
}
