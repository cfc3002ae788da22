//! Definitions and webhook configuration installed, and no webhook up: an upgrade, a node that reboots, an uninstall.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use komputer_crds::validate::Kind;
use komputer_tests::{cluster::LightCluster, kustomize::repository, node::Ended, ports::free_port};
use kube::ResourceExt as _;
use serde_json::{Value, json};

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_mins(1);
const NAMESPACE: &str = "team";

struct System {
    cluster: LightCluster,
    address: SocketAddr,
    server: Option<Child>,
}

impl System {
    fn without_webhooks(name: &str) -> Self {
        let cluster = LightCluster::start_with_controllers(name).expect("a cluster");
        let system = Self { cluster, address: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())), server: None };
        // As users install them, both ways that kubectl knows, and without a warning.
        let definitions = repository("kustomize/base/crds").display().to_string();
        system.succeeds(&["apply", "-k", &definitions], "");
        system.succeeds(&["apply", "--server-side", "--force-conflicts", "-k", &definitions], "");
        system.succeeds(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
        for namespace in [NAMESPACE, "komputer-system"] {
            system.succeeds(&["create", "namespace", namespace], "");
        }
        system.succeeds(&["config", "set-context", "--current", "--namespace", NAMESPACE], "");
        system
    }

    /// Applies the webhook configuration, and where the webhooks are that are not there.
    fn configure(&self) {
        self.succeeds(&["apply", "--server-side", "--force-conflicts", "-f", "-"], &by_url(self.address));
    }

    fn start_webhooks(&mut self) {
        let health = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()));
        let server = Command::new(env!("CARGO_BIN_EXE_komputer-webhooks"))
            .args(["--listen", &self.address.to_string(), "--health", &health.to_string(), "--host", "127.0.0.1"])
            .env("KUBECONFIG", self.cluster.kubeconfig())
            .spawn();
        self.server = Some(server.expect("the program"));
    }

    fn kubectl(&self, arguments: &[&str], input: &str) -> Ended {
        self.cluster.try_kubectl(arguments, input).unwrap()
    }

    #[track_caller]
    fn succeeds(&self, arguments: &[&str], input: &str) -> String {
        let ended = self.kubectl(arguments, input);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""), "{arguments:?}");
        ended.stdout
    }

    #[track_caller]
    fn eventually(&self, arguments: &[&str], input: &str, is_so: impl Fn(&Ended) -> bool) {
        let begun = Instant::now();
        loop {
            let ended = self.kubectl(arguments, input);
            if is_so(&ended) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{arguments:?}: {}{}", ended.stdout, ended.stderr);
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            _ = server.kill();
            _ = server.wait();
        }
    }
}

/// Definitions and configuration, with webhooks that are called at an address.
fn by_url(address: SocketAddr) -> String {
    let mut items: Vec<_> = komputer_crds::definitions().unwrap().iter().map(|definition| json!(definition)).collect();
    for definition in &mut items {
        if let Some(client) = definition.pointer_mut("/spec/conversion/webhook/clientConfig") {
            *client = json!({ "url": format!("https://{address}/convert") });
        }
    }
    items.push(configuration(|kind| format!("https://{address}/validate/{}", kind.plural())));
    json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string()
}

fn configuration(url: impl Fn(Kind) -> String) -> Value {
    let file = repository("kustomize/base/webhooks/validating-webhook-configuration.yaml");
    let mut configuration: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    for webhook in configuration["webhooks"].as_array_mut().unwrap() {
        let plural = webhook["rules"][0]["resources"][0].as_str().unwrap().to_owned();
        let kind = Kind::ALL.into_iter().find(|kind| kind.plural() == plural).unwrap();
        webhook["clientConfig"] = json!({ "url": url(kind) });
    }
    configuration
}

/// An object of the kind that uses much of it, as the reference shows it.
fn example(kind: Kind) -> Value {
    let file: PathBuf = repository(&format!("docs/reference/examples/{}.yaml", kind.name().to_lowercase()));
    let mut object: Value = serde_yaml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    object["metadata"]["finalizers"] = json!(["example.com/external"]);
    object
}

/// How kubectl names the object.
fn named(kind: Kind, object: &Value) -> String {
    format!("{}/{}", kind.plural(), object["metadata"]["name"].as_str().unwrap())
}

#[test]
fn webhooks_that_are_not_there_wedge_nothing() {
    let mut system = System::without_webhooks("absent");

    // The stored version is written and read without conversion.
    let objects = Kind::ALL.map(|kind| (kind, example(kind)));
    for (kind, object) in &objects {
        system.succeeds(&["create", "-f", "-"], &object.to_string());
        let read: Value =
            serde_json::from_str(&system.succeeds(&["get", &named(*kind, object), "-o", "json"], "")).unwrap();
        assert_eq!(read["metadata"]["name"], object["metadata"]["name"]);
    }
    system.configure();
    let definitions = komputer_crds::definitions().unwrap().into_iter();
    let converted: Vec<_> = definitions
        .filter(|definition| definition.spec.conversion.is_some())
        .map(|definition| definition.spec.names.plural)
        .collect();
    for (kind, object) in &objects {
        // What would be admitted is refused, and what would be converted is not shown.
        if converted.contains(&kind.plural().to_owned()) {
            let old = system.kubectl(&["get", &format!("{}.v1alpha1.{}", kind.plural(), komputer_crds::GROUP)], "");
            assert!(old.stderr.contains("conversion webhook"), "{kind:?}: {}", old.stderr);
        }
        let refused = system.kubectl(&["annotate", &named(*kind, object), "a=b"], "");
        assert!(refused.stderr.contains("failed calling webhook"), "{kind:?}: {}", refused.stderr);
        let status = r#"{"status":{"observedGeneration":1}}"#;
        system.succeeds(&["patch", &named(*kind, object), "--subresource=status", "--type=merge", "-p", status], "");
        // What is being deleted goes.
        system.succeeds(&["delete", &named(*kind, object), "--wait=false"], "");
        let patch = r#"{"metadata":{"finalizers":null}}"#;
        system.succeeds(&["patch", &named(*kind, object), "--type=merge", "-p", patch], "");
        assert_eq!(system.succeeds(&["get", &named(*kind, object), "--ignore-not-found"], ""), "");
    }

    comes_back(&mut system, &objects);
}

/// The webhooks come: whatever was refused is taken when it is applied again, and old versions are shown.
fn comes_back(system: &mut System, objects: &[(Kind, Value)]) {
    let applied: Vec<_> = objects.iter().map(|(_, object)| without_finalizers(object)).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": applied }).to_string();
    assert!(system.kubectl(&["apply", "--server-side", "-f", "-"], &list).stderr.contains("failed calling webhook"));
    system.start_webhooks();
    system.eventually(&["apply", "--server-side", "-f", "-"], &list, |ended| ended.code == Some(0));
    for definition in komputer_crds::definitions().unwrap() {
        for version in &definition.spec.versions {
            let resource = format!("{}.{}.{}", definition.spec.names.plural, version.name, definition.spec.group);
            let names = system.kubectl(&["get", &resource, "-o", "name"], "");
            assert_eq!(names.code, Some(0), "{}: {}", definition.name_any(), names.stderr);
            assert_eq!(names.stdout.lines().count(), 1, "{resource}");
        }
    }
}

fn without_finalizers(object: &Value) -> Value {
    let mut object = object.clone();
    object["metadata"].as_object_mut().unwrap().remove("finalizers");
    object
}

#[test]
fn a_namespace_goes_without_webhooks() {
    let system = System::without_webhooks("namespace");
    for kind in Kind::ALL.into_iter().filter(|kind| kind.is_namespaced()) {
        system.succeeds(&["create", "-f", "-"], &without_finalizers(&example(kind)).to_string());
    }
    system.configure();
    system.succeeds(&["delete", "namespace", NAMESPACE, "--wait=false"], "");
    system.eventually(&["get", "namespace", NAMESPACE, "--ignore-not-found"], "", |ended| ended.stdout.is_empty());
}
