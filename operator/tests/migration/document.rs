//! Every command of docs/migrate-from-komputer-ai.md, as it stands there and in its order. The test starts the programs that
//! nodes would start, and plays Helm.
use std::{fs, path::Path, process::Command};

use komputer_crds::validate::Kind;
use komputer_tests::{
    cluster::LightCluster,
    kustomize::{documents, repository},
    node::eventually,
    ports::free_port,
};
use kube::{Client, ResourceExt, api::ListParams};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    NEW, OLD, api, before,
    etcd::stored,
    komputer, of_version,
    running::{self, Operator},
    stored_versions,
};

const DOCUMENT: &str = include_str!("../../../docs/migrate-from-komputer-ai.md");

/// The document's blocks of commands.
fn blocks() -> Vec<String> {
    let parts = DOCUMENT.split("\n\n").filter(|part| part.starts_with("    "));
    parts.map(|part| part.lines().map(|line| &line[4..]).collect::<Vec<_>>().join("\n")).collect()
}

/// Where the commands are run, and what they have said.
struct Shell<'a> {
    cluster: &'a LightCluster,
    directory: TempDir,
    blocks: std::vec::IntoIter<String>,
    kinds: String,
}

impl<'a> Shell<'a> {
    /// `KOMPUTER` is a copy of what users install whose webhooks are at `port`, `KOMPUTER_AI` has the definitions before.
    fn new(cluster: &'a LightCluster, port: u16) -> Self {
        let directory = TempDir::new().unwrap();
        let copied = Command::new("cp").arg("-r").arg(repository("kustomize")).arg(directory.path()).status().unwrap();
        assert!(copied.success());
        let base = directory.path().join("kustomize/base");
        for file in fs::read_dir(base.join("crds")).unwrap().map(|entry| entry.unwrap().path()) {
            call_by_url(&file, port, &|document| {
                document.pointer_mut("/spec/conversion/webhook/clientConfig").into_iter().collect()
            });
        }
        call_by_url(&base.join("webhooks/validating-webhook-configuration.yaml"), port, &|document| {
            document["webhooks"]
                .as_array_mut()
                .into_iter()
                .flatten()
                .map(|webhook| &mut webhook["clientConfig"])
                .collect()
        });
        let before = directory.path().join("helm/komputer-ai/crds");
        fs::create_dir_all(&before).unwrap();
        for (index, definition) in before::definitions().iter().enumerate() {
            fs::write(before.join(format!("{index}.yaml")), definition.to_string()).unwrap();
        }
        let mut blocks = blocks().into_iter();
        let kinds = blocks.next().unwrap();
        Self { cluster, directory, blocks, kinds }
    }

    /// Runs the next block, which has to begin like that, and answers what it printed.
    fn next(&mut self, beginning: &str) -> String {
        let block = self.blocks.next().unwrap_or_default();
        assert!(block.starts_with(beginning), "the document goes on otherwise: {block}");
        let root = self.directory.path().to_str().unwrap();
        let script = format!("{}\n{block}", self.kinds).replace("KOMPUTER_AI/", "KOMPUTER/");
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", &script.replace("KOMPUTER/", &format!("{root}/"))])
            .current_dir(&self.directory)
            .env("KUBECONFIG", self.cluster.kubeconfig())
            // Another cluster may have had the same port, and other kinds.
            .env("KUBECACHEDIR", self.directory.path().join("cache"))
            .env("ANTHROPIC_API_KEY", "a-key")
            .env("PATH", format!("{}:{}", std::env::var("PATH").unwrap(), repository("devcluster/bin").display()))
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{block}\n{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    }
}

fn call_by_url(file: &Path, port: u16, clients: &dyn Fn(&mut Value) -> Vec<&mut Value>) {
    let mut document = documents(&fs::read_to_string(file).unwrap()).unwrap().remove(0);
    clients(&mut document).into_iter().for_each(|client| komputer::call_by_url(client, port));
    fs::write(file, document.to_string()).unwrap();
}

/// Komputer.ai, after `helm uninstall`.
fn komputer_ai(cluster: &LightCluster) {
    komputer::apply(cluster, &before::definitions());
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "").unwrap();
    let mut objects = before::objects("default");
    for object in &mut objects {
        match object["kind"].as_str() {
            Some("KomputerOffice") => object["metadata"]["finalizers"] = json!(["komputer.ai/office-members"]),
            Some("KomputerSquad") => object["metadata"]["finalizers"] = json!(["komputer.ai/squad-cleanup"]),
            _ => {}
        }
    }
    komputer::apply(cluster, &objects);
    let done = r#"{"status":{"phase":"Running","taskStatus":"Complete","totalCostUSD":"0.1234"}}"#;
    let patch = ["patch", "komputeragent", "sleeping", "--subresource=status", "--type=merge", "-p", done];
    cluster.kubectl(&patch, "").unwrap();
    let service = ["create", "service", "clusterip", "sleeping-agent-svc", "--tcp=8000"];
    cluster.kubectl(&service, "").unwrap();
    cluster.kubectl(&["label", "service", "sleeping-agent-svc", "komputer.ai/agent-name=sleeping"], "").unwrap();
}

async fn are_stored_in(client: &Client, cluster: &LightCluster, version: &str) {
    let objects = stored(cluster).await;
    let old = objects.iter().filter(|(key, _)| !key.contains("komputertasks"));
    assert_eq!(of_version(old, if version == NEW { OLD } else { NEW }), Vec::<&str>::new());
    let versions = stored_versions(client, Kind::Agent).await;
    assert_eq!(versions, [version.trim_start_matches("komputer.komputer.ai/")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_document_works_as_it_stands_there() {
    let cluster = LightCluster::start_with_controllers("exchange").expect("a cluster");
    let client = cluster.client().await.unwrap();
    komputer_ai(&cluster);
    let port = free_port();
    let mut shell = Shell::new(&cluster, port);

    shell.next("kubectl get \"$KINDS\" -A");
    let copy = fs::read_to_string(shell.directory.path().join("komputer-ai.yaml")).unwrap();
    let agents = before::objects("default").iter().filter(|one| one["kind"] == "KomputerAgent").count();
    assert_eq!(copy.matches("kind: KomputerAgent\n").count(), agents);
    assert!(shell.next("kubectl delete pods,services -A").contains("sleeping-agent-svc"));
    let unfinalized = shell.next("kubectl get komputeragents,komputeroffices,komputersquads");
    assert!(unfinalized.contains("boss-office patched") && unfinalized.contains("every-field patched"));

    shell.next("kubectl apply --server-side -f KOMPUTER/kustomize/base/namespace.yaml");
    let webhooks = komputer::webhooks(client.clone(), port).await;
    let done = shell.next("kubectl get komputeragents.v1alpha1.komputer.komputer.ai");
    assert!(done.contains("sleeping patched") && done.lines().count() == 1, "{done}");

    let redis = running::redis(&cluster);
    shell.next("kubectl apply --server-side --force-conflicts -k KOMPUTER/kustomize/base");
    let operator = Operator::start(&cluster, &redis, &[]);
    let shown = shell.next("for kind in");
    assert!(
        shown.contains("StorageMigrated") && shown.contains("komputeragent.komputer.komputer.ai/hello-world"),
        "{shown}"
    );
    are_stored_in(&client, &cluster, NEW).await;
    only_open_instructions_become_tasks(&client).await;

    assert!(shell.next("kubectl get komputeragents.v1beta1.komputer.komputer.ai hello-world").contains("spec:"));

    shell.next("for kind in");
    drop(operator);
    let operator = Operator::start(&cluster, &redis, &[]);
    shell.next("for kind in");
    drop((operator, webhooks));
    are_stored_in(&client, &cluster, OLD).await;
    // Schedules may have had agents of theirs made.
    let agents = api(&client, "v1alpha1", Kind::Agent).list(&ListParams::default()).await.unwrap();
    let names: Vec<_> = agents.iter().map(ResourceExt::name_any).collect();
    let agents_before = before::objects("default").into_iter().filter(|one| one["kind"] == "KomputerAgent");
    for agent in agents_before {
        assert!(names.iter().any(|name| agent["metadata"]["name"] == **name), "{agent} is not among {names:?}");
    }
    assert_eq!(shell.blocks.next(), None, "no command is left out");
}

/// Those of agents whose work is done were taken away.
async fn only_open_instructions_become_tasks(client: &Client) {
    let tasks = || async {
        let tasks = api(client, "v1beta1", Kind::Task).list(&ListParams::default()).await?;
        let names: Vec<_> = tasks.iter().map(ResourceExt::name_any).collect();
        assert!(names.iter().all(|name| !name.starts_with("sleeping-")), "{names:?}");
        Ok(names.iter().any(|name| name.starts_with("hello-world-")).then_some(()))
    };
    eventually("the task of hello-world", tasks).await.unwrap();
}
