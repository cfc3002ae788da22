//! What an object refers to and is not there: a warning, never a refusal, because Git applies in any order.
mod secrets;
mod templates;

use komputer_crds::{DEFAULT_TEMPLATE, validate::Kind};
use kube::Client;
use serde_json::Value;

use secrets::Secrets;
pub use templates::Templates;

/// Looks up what objects refer to.
pub struct References {
    templates: Templates,
    secrets: Secrets,
}

impl References {
    /// With the templates that are known, and Secrets asked of the apiserver.
    pub fn new(client: Client, templates: Templates) -> Self {
        Self { templates, secrets: Secrets::new(client) }
    }

    /// A warning for each reference to something that is known not to be there.
    pub(crate) async fn missing(&self, kind: Kind, namespace: &str, object: &Value) -> Vec<String> {
        if kind != Kind::Agent {
            return Vec::new();
        }
        let named = object.pointer("/spec/templateRef/name").and_then(Value::as_str);
        let template = named.unwrap_or(DEFAULT_TEMPLATE);
        let mut warnings = Vec::new();
        if self.templates.exists(namespace, template) == Some(false) {
            let text = "spec.templateRef.name: no template {} here or in the cluster; the agent waits for it";
            warnings.push(warning(text, template));
        }
        let references = object.pointer("/spec/secretRefs").and_then(Value::as_array);
        let names = references.into_iter().flatten().filter_map(|reference| reference.get("name")?.as_str());
        for name in self.secrets.missing(namespace, names.map(String::from).collect()).await {
            warnings.push(warning("spec.secretRefs: no Secret {} in this namespace; the agent waits for it", &name));
        }
        warnings
    }
}

/// Longer ones may be cut on their way.
const MAX_WARNING: usize = 120;

/// `text` with `name` in it, cut so that the whole fits.
fn warning(text: &str, name: &str) -> String {
    let room = MAX_WARNING.saturating_sub(text.chars().count());
    let name = match name.char_indices().nth(room) {
        Some(_) => name.chars().take(room.saturating_sub(1)).chain(['…']).collect(),
        None => name.to_owned(),
    };
    text.replacen("{}", &format!("{name:?}"), 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warnings_are_short_whatever_the_name() {
        let text = "spec.secretRefs: no Secret {} in this namespace; the agent waits for it";
        assert_eq!(
            warning(text, "github"),
            "spec.secretRefs: no Secret \"github\" in this namespace; the agent waits for it"
        );
        assert_eq!(warning(text, &"a".repeat(253)).chars().count(), MAX_WARNING);
    }
}
