use std::collections::BTreeSet;

use serde_json::Value;

use super::{Cause, agent, duration::check_duration, names::check_object_name, typed::check_type};
use crate::v1beta1::KomputerSquadSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerSquadSpec>("spec", spec, causes);
    check_duration("spec.orphanTTL", spec.get("orphanTTL"), causes);
    let mut names = BTreeSet::new();
    for (index, member) in spec.get("members").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let field = format!("spec.members[{index}]");
        check_name(&format!("{field}.name"), member.get("name"), &mut names, causes);
        if let Some(template) = member.get("template") {
            agent::check(&format!("{field}.template"), template, causes);
        }
    }
}

fn check_name<'a>(field: &str, name: Option<&'a Value>, names: &mut BTreeSet<&'a str>, causes: &mut Vec<Cause>) {
    let Some(text) = name.and_then(Value::as_str) else { return };
    if let Some((namespace, _)) = text.split_once('/') {
        let why = format!(
            "it is in namespace {namespace}, and members of a squad share a pod and so a namespace; name an agent of the squad's own"
        );
        causes.push(Cause::forbidden(field, why));
    } else if names.insert(text) {
        check_object_name(field, name, causes);
    } else {
        causes.push(Cause::duplicate(field, text, "an agent is a member once; remove it"));
    }
}
