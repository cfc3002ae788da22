//! Manifests with mistakes that people make, what they are told, word for word, and who refuses them.
use std::{fmt::Write as _, fs, path::PathBuf};

use komputer_crds::validate::{Kind, causes};
use kube::{
    Api, Client, Error,
    api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams},
    core::GroupVersionKind,
};

use crate::system::{PATIENCE, system, system_alone, wait_for};

const NAMESPACE: &str = "refused";

/// A manifest with a mistake, named after it.
struct Mistake {
    kind: Kind,
    object: DynamicObject,
}

fn path(kind: Kind, extension: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/api/refused");
    directory.join(kind.plural()).with_extension(extension)
}

fn mistakes(kind: Kind) -> Vec<Mistake> {
    let yaml = fs::read_to_string(path(kind, "yaml")).unwrap();
    yaml.split("---\n").map(|manifest| Mistake { kind, object: serde_yaml::from_str(manifest).unwrap() }).collect()
}

impl Mistake {
    fn name(&self) -> &str {
        self.object.metadata.name.as_deref().unwrap()
    }

    fn api(&self, client: &Client) -> Api<DynamicObject> {
        let (_, version) = self.object.types.as_ref().unwrap().api_version.split_once('/').unwrap();
        let kind = GroupVersionKind::gvk(komputer_crds::GROUP, version, self.kind.name());
        let resource = ApiResource::from_gvk_with_plural(&kind, self.kind.plural());
        if self.kind.is_namespaced() {
            Api::namespaced_with(client.clone(), NAMESPACE, &resource)
        } else {
            Api::all_with(client.clone(), &resource)
        }
    }

    /// Applies it as GitOps tools do. What is refused is told cause by cause, in the order of the fields.
    async fn apply(&self, client: &Client) -> Result<(), Vec<String>> {
        let params = PatchParams::apply("kubectl").validation_strict();
        match self.api(client).patch(self.name(), &params, &Patch::Apply(&self.object)).await {
            Ok(_) => Ok(()),
            Err(Error::Api(status)) => {
                let causes = status.details.iter().flat_map(|details| &details.causes);
                let mut told: Vec<_> = causes.map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
                told.sort_unstable();
                Err(if told.is_empty() { in_order(&status.message) } else { told })
            }
            Err(error) => panic!("{}: {error}", self.name()),
        }
    }
}

/// A message of several lines says its first one first, and the apiserver the others in any order.
fn in_order(message: &str) -> Vec<String> {
    let mut lines: Vec<_> = message.lines().map(str::to_owned).collect();
    if let Some(others) = lines.get_mut(1..) {
        others.sort_unstable();
    }
    lines
}

#[test]
fn every_mistake_is_explained() {
    let system = system();
    system.kubectl(&["create", "namespace", NAMESPACE], "");
    let mut differing = Vec::new();
    system.block_on(async |client| {
        for kind in Kind::ALL {
            let mistakes = mistakes(kind);
            assert!(mistakes.len() >= 15, "{}: {} mistakes", kind.plural(), mistakes.len());
            let mut told = String::new();
            for mistake in mistakes {
                let Err(causes) = mistake.apply(&client).await else {
                    panic!("{}: {} was admitted", kind.plural(), mistake.name())
                };
                write!(told, "# {}\n{}\n", mistake.name(), causes.join("\n")).unwrap();
            }
            let expected = path(kind, "txt");
            if std::env::var_os("UPDATE").is_some() {
                fs::write(&expected, &told).unwrap();
            }
            if fs::read_to_string(&expected).unwrap_or_default() != told {
                differing.push(format!("{}:\n{told}", expected.display()));
            }
        }
    });
    let differing = differing.join("\n");
    assert!(differing.is_empty(), "other words than expected; run with UPDATE=1 if they are better\n{differing}");
}

/// Without the webhook nine of ten are refused all the same, and the reconciler says of the others what it would have.
#[test]
fn nearly_all_mistakes_need_no_webhook_and_the_others_are_judged_in_its_words() {
    let system = system_alone();
    _ = system.cluster.try_kubectl(&["create", "namespace", NAMESPACE], "");
    system.kubectl(&["delete", "validatingwebhookconfiguration", "komputer-webhooks"], "");
    let last = mistakes(Kind::Task).into_iter().find(|mistake| mistake.name() == "money-is-none").unwrap();
    system.block_on(async |client| {
        // The apiserver notices a moment later.
        let begun = std::time::Instant::now();
        while let Err(causes) = last.apply(&client).await {
            assert!(begun.elapsed() < PATIENCE, "it is still refused: {causes:?}");
        }
        for kind in Kind::ALL {
            let expected = fs::read_to_string(path(kind, "txt")).unwrap();
            let (mistakes, mut admitted) = (mistakes(kind), 0);
            for mistake in &mistakes {
                if mistake.apply(&client).await.is_ok() {
                    admitted += 1;
                    judged_alike(mistake, &client, &expected).await;
                }
            }
            let all = mistakes.len();
            assert!(admitted * 10 <= all, "{}: {admitted} of {all} are admitted without the webhook", kind.plural());
        }
    });
    system.install_configuration();
    wait_for("the webhooks to refuse again", || system.block_on(async |client| last.apply(&client).await.is_err()));
}

/// What the reconciler finds wrong with the object as it is stored is what the webhook said.
async fn judged_alike(mistake: &Mistake, client: &Client, expected: &str) {
    let mut stored = Mistake { kind: mistake.kind, object: mistake.object.clone() };
    stored.object.types.as_mut().unwrap().api_version = format!("{}/v1beta1", komputer_crds::GROUP);
    let api = stored.api(client);
    let object = serde_json::to_value(api.get(mistake.name()).await.unwrap()).unwrap();
    api.delete(mistake.name(), &DeleteParams::default()).await.unwrap();
    let mut found: Vec<_> = causes(mistake.kind, &object).iter().map(ToString::to_string).collect();
    found.sort_unstable();
    let told = format!("# {}\n{}\n", mistake.name(), found.join("\n"));
    assert!(expected.contains(&told), "{}: the reconciler says\n{told}", mistake.kind.plural());
}
