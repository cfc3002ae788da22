//! A light cluster with the definitions installed, and the program that it calls.
use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    ops::Deref,
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, Weak},
    time::{Duration, Instant},
};

use komputer_tests::{cluster::LightCluster, ports::free_port};
use kube::Client;
use serde_json::{Value, json};

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_mins(1);

pub struct System {
    pub cluster: LightCluster,
    /// `https://127.0.0.1:<port>`.
    pub url: String,
    server: Child,
}

/// The system, and a turn at it.
pub struct Turn<G> {
    system: Arc<System>,
    _turn: G,
}

impl<G> Deref for Turn<G> {
    type Target = System;

    fn deref(&self) -> &System {
        &self.system
    }
}

static TURNS: RwLock<()> = RwLock::new(());

/// The system that the tests of this process share; it ends with the last of them.
pub fn system() -> Turn<RwLockReadGuard<'static, ()>> {
    Turn { _turn: TURNS.read().unwrap_or_else(PoisonError::into_inner), system: shared() }
}

/// The same while no other test uses it, for those that disturb it.
pub fn system_alone() -> Turn<RwLockWriteGuard<'static, ()>> {
    Turn { _turn: TURNS.write().unwrap_or_else(PoisonError::into_inner), system: shared() }
}

fn shared() -> Arc<System> {
    static SHARED: Mutex<Weak<System>> = Mutex::new(Weak::new());
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    shared.upgrade().unwrap_or_else(|| {
        let system = Arc::new(System::start());
        *shared = Arc::downgrade(&system);
        system
    })
}

impl System {
    fn start() -> Self {
        let cluster = LightCluster::start("webhooks").expect("a cluster");
        let (webhooks, health) = (free_address(), free_address());
        let url = format!("https://{webhooks}");
        let server = Command::new(env!("CARGO_BIN_EXE_komputer-webhooks"))
            .args(["--listen", &webhooks.to_string(), "--health", &health.to_string(), "--host", "127.0.0.1"])
            .arg("--client-ca")
            .arg(cluster.certificate("webhook-clients-ca.crt"))
            .env("KUBECONFIG", cluster.kubeconfig())
            .spawn()
            .expect("the program");
        let system = Self { cluster, url, server };
        system.kubectl(&["create", "namespace", "komputer-system"], "");
        system.install_definitions();
        // From before there was a webhook to refuse it.
        system.kubectl(&["create", "namespace", "before"], "");
        system.kubectl(
            &["create", "-f", "-"],
            &agent("before", "invalid", json!({ "podTemplate": { "spec": { "hostPID": true } } })),
        );
        system.install_configuration();
        wait_for("the program to be ready", || is_ready(health));
        system
    }

    /// Applies the definitions, as users do but for the address of the webhook.
    pub fn install_definitions(&self) {
        let arguments = ["apply", "--server-side", "-f", "-"];
        let ended = self.cluster.try_kubectl(&arguments, &self.definitions()).unwrap();
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        self.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
    }

    /// Applies the webhook configuration, as users do but for the address of the webhooks.
    pub fn install_configuration(&self) {
        self.kubectl(&["apply", "--server-side", "-f", "-"], &self.configuration());
    }

    pub fn definitions(&self) -> String {
        let mut list = serde_json::to_value(komputer_crds::definitions().unwrap()).unwrap();
        for definition in list.as_array_mut().unwrap() {
            if let Some(client) = definition.pointer_mut("/spec/conversion/webhook/clientConfig") {
                self.call_by_url(client);
            }
        }
        json!({ "apiVersion": "v1", "kind": "List", "items": list }).to_string()
    }

    pub fn configuration(&self) -> String {
        let yaml = include_str!("../../../kustomize/base/webhooks/validating-webhook-configuration.yaml");
        let mut configuration: Value = serde_yaml::from_str(yaml).unwrap();
        for webhook in configuration["webhooks"].as_array_mut().unwrap() {
            self.call_by_url(&mut webhook["clientConfig"]);
        }
        configuration.to_string()
    }

    fn call_by_url(&self, client: &mut Value) {
        let path = client.pointer("/service/path").and_then(Value::as_str).unwrap();
        *client = json!({ "url": format!("{}{path}", self.url) });
    }

    /// Does `work` with a client of the administrator.
    pub fn block_on<T>(&self, work: impl AsyncFnOnce(Client) -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { work(self.cluster.client().await.unwrap()).await })
    }

    /// What kubectl prints; the test ends where it fails.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.cluster.kubectl(arguments, input).unwrap()
    }

    /// An object as JSON.
    #[track_caller]
    pub fn get(&self, namespace: &str, resource: &str, name: &str) -> Value {
        serde_json::from_str(&self.kubectl(&["get", "-n", namespace, resource, name, "-o", "json"], "")).unwrap()
    }
}

impl Drop for System {
    fn drop(&mut self) {
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

/// A v1beta1 agent as JSON.
pub fn agent(namespace: &str, name: &str, spec: Value) -> String {
    let metadata = json!({ "name": name, "namespace": namespace });
    json!({ "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": metadata, "spec": spec })
        .to_string()
}

pub fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !happened() {
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} for {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}

fn is_ready(health: SocketAddr) -> bool {
    let answer = || {
        let mut stream = TcpStream::connect(health)?;
        stream.write_all(b"GET /readyz HTTP/1.0\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text)
    };
    answer().is_ok_and(|text: String| text.contains(" 200 "))
}
