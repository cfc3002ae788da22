//! Fields of before that are taken and do nothing. They live on in annotations that conversion keeps.
use std::collections::BTreeMap;

use serde_json::Value;

use crate::{convert::kept_annotation, validate::Kind};

/// What there is to say of each deprecated field that an object of the stored version has, at most 120 characters each, as
/// a warning may have.
pub fn deprecated(kind: Kind, annotations: &BTreeMap<String, String>) -> Vec<String> {
    let kept = |field: &str| annotations.get(&kept_annotation(field));
    match kind {
        Kind::Agent if kept("spec.internalSystemPrompt").is_some() => vec![prompt("spec.internalSystemPrompt")],
        Kind::Squad => {
            let members = kept("spec.members").and_then(|kept| members(kept)).unwrap_or_default();
            let members = members.iter().enumerate();
            let prompted = members.filter(|(_, member)| member.pointer("/spec/internalSystemPrompt").is_some());
            prompted.map(|(index, _)| prompt(&format!("spec.members[{index}].spec.internalSystemPrompt"))).collect()
        }
        _ => Vec::new(),
    }
}

/// The members of a squad as v1alpha1 says them.
fn members(kept: &str) -> Option<Vec<Value>> {
    let mut change: Value = serde_json::from_str(kept).ok()?;
    serde_json::from_value(change.get_mut("is")?.take()).ok()
}

/// The api of before put it together for the agent; komputer does that where the agent starts.
fn prompt(field: &str) -> String {
    format!("{field}: has no effect any more; remove it, or move what is yours to systemPrompt")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::convert::{Version, convert};

    fn of(kind: Kind, spec: Value) -> Vec<String> {
        let metadata = json!({ "name": "a", "namespace": "team" });
        let object = json!({
            "apiVersion": "komputer.komputer.ai/v1alpha1", "kind": kind.name(), "metadata": metadata, "spec": spec,
        });
        let mut stored = convert(object, Version::V1beta1).unwrap();
        let annotations = stored["metadata"]["annotations"].take();
        deprecated(kind, &serde_json::from_value(annotations).unwrap_or_default())
    }

    #[test]
    fn a_prompt_that_the_api_of_before_made_is_named() {
        let advice = "has no effect any more; remove it, or move what is yours to systemPrompt";
        let agent = of(Kind::Agent, json!({ "instructions": "i", "internalSystemPrompt": "You are" }));
        assert_eq!(agent, [format!("spec.internalSystemPrompt: {advice}")]);
        assert!(of(Kind::Agent, json!({ "instructions": "i", "systemPrompt": "You are" })).is_empty());

        let made = json!({ "spec": { "instructions": "i", "internalSystemPrompt": "You are" } });
        let squad = of(Kind::Squad, json!({ "members": [{ "ref": { "name": "b" } }, made] }));
        assert_eq!(squad, [format!("spec.members[1].spec.internalSystemPrompt: {advice}")]);
        assert!(squad[0].len() <= 120);
    }
}
