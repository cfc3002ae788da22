//! `KomputerSquad`.
use serde_json::{Value, json};

use super::{
    Fields, Version, agent,
    field::{self, Field, Form, Identity, same},
    kind::{Kind, Status},
    status::with_ready_message,
};

pub(super) const KIND: Kind =
    Kind { name: "KomputerSquad", spec: Some(&SPEC), status: Some(Status { own: &["message"], translate }) };

const SPEC: [Field; 3] = [
    same(&["orphanTTL"]),
    Field { v1alpha1: &["breakUpRequested"], v1beta1: &["breakUp"], form: Form::Same },
    Field { v1alpha1: &["members"], v1beta1: &["members"], form: Form::Own(members) },
];

fn translate(_: &Fields, shared: &Fields, to: Version) -> Fields {
    with_ready_message(Fields::new(), shared, to)
}

/// A member is an agent there is, `ref`, or one that is made, `spec`, in v1alpha1. In v1beta1 it always has a name, and a
/// `template` where it is made.
fn members(value: &Value, to: Version, squad: Identity<'_>) -> Option<Value> {
    let members = value.as_array()?.iter().enumerate().filter_map(|(index, member)| {
        let unnamed = match squad.name {
            Some(squad) => format!("{squad}-member-{index}"),
            None => format!("member-{index}"),
        };
        match to {
            Version::V1alpha1 => to_v1alpha1(member, &unnamed),
            Version::V1beta1 => to_v1beta1(member, unnamed, squad.namespace),
        }
    });
    Some(members.collect())
}

fn to_v1beta1(member: &Value, unnamed: String, own: Option<&str>) -> Option<Value> {
    let text = |pointer| member.pointer(pointer).and_then(Value::as_str);
    if let Some(Value::Object(spec)) = member.get("spec") {
        let mut template = field::translate(&agent::SPEC, spec, Version::V1beta1, Identity::default());
        // v1alpha1 makes an agent a manager where it does not say, and v1beta1 a worker.
        template.entry("role").or_insert_with(|| "Manager".into());
        return Some(json!({ "name": text("/name").map_or(unnamed, Into::into), "template": template }));
    }
    // No agent is called so, which is how it is refused: members share a pod, and so a namespace.
    let elsewhere = text("/ref/namespace").filter(|namespace| Some(*namespace) != own);
    let elsewhere = elsewhere.map(|namespace| format!("{namespace}/")).unwrap_or_default();
    Some(json!({ "name": format!("{elsewhere}{}", text("/ref/name")?) }))
}

fn to_v1alpha1(member: &Value, unnamed: &str) -> Option<Value> {
    let name = member.get("name")?.as_str()?;
    let Some(Value::Object(template)) = member.get("template") else {
        return Some(match name.split_once('/') {
            Some((namespace, name)) => json!({ "ref": { "name": name, "namespace": namespace } }),
            None => json!({ "ref": { "name": name } }),
        });
    };
    let mut spec = field::translate(&agent::SPEC, template, Version::V1alpha1, Identity::default());
    match spec.get("role").and_then(Value::as_str) {
        Some("manager") => drop(spec.remove("role")),
        Some(_) => {}
        None => drop(spec.insert("role".into(), "worker".into())),
    }
    let mut member = json!({ "spec": spec });
    if name != unnamed {
        member["name"] = name.into();
    }
    Some(member)
}
