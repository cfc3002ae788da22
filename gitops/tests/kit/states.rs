//! The table of situations, and objects that are in them.
use std::collections::BTreeMap;

use komputer_crds::convert::{Version, convert};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::{
    files::text,
    kinds::{Kind, kinds},
};

/// One row of the table.
#[derive(Deserialize, Clone, Debug)]
#[serde(deny_unknown_fields)]
pub struct State {
    pub situation: String,
    #[serde(default)]
    pub suspend: bool,
    #[serde(default)]
    pub deleting: bool,
    pub observed: Observed,
    /// Status and reason by type, like `Unknown/Starting`.
    pub conditions: BTreeMap<String, String>,
    /// What the operator calls it, where it writes these conditions.
    pub progress: Option<String>,
    pub kstatus: String,
    pub argo: String,
    pub flux: String,
}

/// What `status.observedGeneration` is.
#[derive(Deserialize, Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Observed {
    /// The generation.
    Current,
    /// An older one.
    Before,
    /// -1, as the schema says it.
    Never,
}

/// Every row.
pub fn states() -> Vec<State> {
    serde_yaml::from_str(&text("gitops/states.yaml")).unwrap()
}

impl State {
    /// Whether objects of that kind come into this situation.
    pub fn concerns(&self, kind: &Kind) -> bool {
        kind.has_status() && (!self.suspend || kind.suspends_by().is_some())
    }

    /// The status of an object of that generation, as the operator writes it.
    pub fn status(&self, generation: i64) -> Value {
        let observed = match self.observed {
            Observed::Current => generation,
            Observed::Before => generation - 1,
            Observed::Never => -1,
        };
        let mut status = json!({ "observedGeneration": observed });
        if self.observed != Observed::Never {
            let conditions =
                self.conditions.iter().map(|(type_, condition)| self.condition(type_, condition, observed));
            status["conditions"] = conditions.collect();
        }
        status
    }

    fn condition(&self, type_: &str, condition: &str, observed: i64) -> Value {
        let (status, reason) = condition.split_once('/').unwrap();
        json!({
            "type": type_, "status": status, "reason": reason, "message": self.message(), "observedGeneration": observed,
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        })
    }

    /// What the conditions tell people.
    pub fn message(&self) -> String {
        format!("This object is in the situation \"{}\"", self.situation)
    }

    /// The spec of an object of `kind` in this situation.
    pub fn spec(&self, kind: &Kind) -> Value {
        let field = kind.suspends_by().filter(|_| self.suspend);
        Value::Object(field.map(|field| (field, Value::Bool(true))).into_iter().collect::<Map<_, _>>())
    }

    /// An object of `kind` in this situation, as the apiserver would return it.
    pub fn object(&self, kind: &Kind) -> Value {
        if !kind.stored {
            let stored = kinds().iter().find(|other| other.name == kind.name && other.stored).unwrap();
            return convert(self.object(stored), Version::of(&kind.api_version()).unwrap()).unwrap();
        }
        let generation = 2;
        let mut metadata = json!({
            "name": "example", "uid": "0b9a3ce0-0000-4000-8000-000000000000", "resourceVersion": "100",
            "generation": generation, "creationTimestamp": "2026-01-01T00:00:00Z",
        });
        if kind.namespaced {
            metadata["namespace"] = "default".into();
        }
        if self.deleting {
            metadata["deletionTimestamp"] = "2026-01-02T00:00:00Z".into();
            metadata["finalizers"] = json!([FINALIZER]);
        }
        json!({
            "apiVersion": kind.api_version(), "kind": kind.name, "metadata": metadata, "spec": self.spec(kind),
            "status": self.status(generation),
        })
    }
}

/// Holds an object that is being deleted.
pub const FINALIZER: &str = "example.com/held";
