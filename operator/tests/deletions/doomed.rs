//! A namespace with one of everything, and orders in which it is deleted.
use std::hash::{DefaultHasher, Hash, Hasher};

use anyhow::ensure;
use k8s_openapi::api::core::v1::Namespace;
use komputer_crds::validate::Kind;
use komputer_tests::node::eventually;
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams},
};
use serde_json::{Value, json};

use super::played::space::Space;

/// A namespace that is to go.
pub struct Doomed {
    pub space: Space,
    /// What tells its order of deletion from others'.
    pub order: u64,
}

/// What is deleted at the end of an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Last {
    /// The namespace, after, before, or among all that is in it.
    Namespace,
    /// All that is in it, which leaves the namespace.
    Object,
}

/// What users declare: the kind, the name and the spec.
fn declared() -> Vec<(&'static str, &'static str, Value)> {
    vec![
        ("KomputerBudget", "team", json!({ "limitUSD": "5", "period": "Total" })),
        ("KomputerAgentTemplate", "default", json!({})),
        ("KomputerMemory", "facts", json!({ "content": "c" })),
        ("KomputerSkill", "skill", json!({ "content": "c", "description": "d" })),
        ("KomputerConnector", "mcp", json!({ "transport": "StreamableHTTP", "url": "https://mcp.example.com" })),
        ("KomputerAgent", "ada", json!({ "instructions": "one", "memories": [{ "name": "facts" }] })),
        ("KomputerAgent", "bob", json!({ "managerRef": { "name": "ada" } })),
        ("KomputerTask", "task", json!({ "agentRef": { "name": "ada" }, "instructions": "two" })),
        ("KomputerOffice", "office", json!({ "managerRef": { "name": "ada" } })),
        (
            "KomputerSquad",
            "crew",
            json!({ "members": [{ "name": "bob" }, { "name": "cyd", "template": { "instructions": "one" } }] }),
        ),
        (
            "KomputerSchedule",
            "often",
            json!({ "schedule": "0 0 1 1 *", "suspend": true, "agent": {}, "task": { "instructions": "run" } }),
        ),
    ]
}

impl Doomed {
    /// Makes the namespace and what is in it, and waits until all is at rest.
    pub async fn fill(&self) {
        self.space.create().await;
        for (kind, name, spec) in declared() {
            let mut metadata = json!({ "name": name });
            if kind == "KomputerSchedule" {
                metadata["annotations"] = json!({ "komputer.komputer.ai/trigger": "once" });
            }
            self.space.apply_with(kind, metadata, spec).await;
        }
        for (agent, done) in [("ada", 2), ("cyd", 1), ("often-agent", 1)] {
            eventually(&format!("KomputerAgent {}/{agent} to be done", self.space.namespace), || async {
                let Some(found) = self.space.api("KomputerAgent").get_opt(agent).await? else { return Ok(None) };
                let status = &found.data["status"];
                ensure!(status["tasks"]["succeeded"] == done, "it says {status}");
                Ok(Some(()))
            })
            .await
            .unwrap();
        }
    }

    /// What this order ends with.
    pub fn last(&self) -> Last {
        if self.order % 3 == 2 { Last::Object } else { Last::Namespace }
    }

    /// Deletes all that is declared in an order of its own, each by background or foreground, and the namespace at the
    /// beginning, among it, or never.
    pub async fn delete(&self) {
        let mut objects = declared();
        objects.sort_by_cached_key(|(kind, name, _)| self.chance((kind, name)));
        let end = match self.order % 3 {
            0 => 0,
            1 => objects.len() / 2,
            _ => objects.len() + 1,
        };
        for (index, (kind, name, _)) in objects.iter().enumerate() {
            if index == end {
                self.namespaces().delete(&self.space.namespace, &DeleteParams::default()).await.unwrap();
            }
            let foreground = self.chance((kind, name, "how")).is_multiple_of(2);
            let how = if foreground { DeleteParams::foreground() } else { DeleteParams::background() };
            self.space.delete_by(kind, name, &how).await;
        }
    }

    /// Waits until nothing is left of it: no namespace, or nothing in it but what all agents of a namespace share.
    pub async fn is_gone(&self) {
        eventually(&format!("namespace {} to go", self.space.namespace), || async {
            if self.last() == Last::Namespace {
                let Some(namespace) = self.namespaces().get_opt(&self.space.namespace).await? else {
                    return Ok(Some(()));
                };
                let conditions = namespace.status.and_then(|status| status.conditions);
                anyhow::bail!("it says {conditions:?}");
            }
            let left = self.left().await?;
            ensure!(left.is_empty(), "there is {left:?}");
            Ok(Some(()))
        })
        .await
        .unwrap();
    }

    /// What is left of what users and komputer made.
    async fn left(&self) -> anyhow::Result<Vec<String>> {
        let builtin = ["Pod", "PersistentVolumeClaim", "Secret"];
        let ours = Kind::ALL.into_iter().filter(|kind| kind.is_namespaced()).map(Kind::name);
        let mut left = Vec::new();
        for kind in builtin.into_iter().chain(ours) {
            let found = self.space.api(kind).list_metadata(&ListParams::default()).await?;
            left.extend(found.iter().map(|object| format!("{kind} {}", object.name_any())));
        }
        Ok(left)
    }

    fn chance(&self, of: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.space.namespace, of).hash(&mut hasher);
        hasher.finish()
    }

    fn namespaces(&self) -> Api<Namespace> {
        Api::all(self.space.client.clone())
    }
}
