//! A cluster with komputer's definitions, roles and the api's own account, as they are installed.
use std::sync::{Arc, Mutex, PoisonError, Weak};

use komputer_tests::cluster::LightCluster;
use serde_json::{Value, json};

pub struct Cluster {
    cluster: LightCluster,
    /// What the api finds the cluster by: with the rights of its ServiceAccount, no others.
    pub kubeconfig: tempfile::NamedTempFile,
}

const BASE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kustomize/base");
const SYSTEM: &str = "komputer-system";

impl Cluster {
    /// The one that the tests of this process share; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let cluster = Arc::new(Self::start());
            *shared = Arc::downgrade(&cluster);
            cluster
        })
    }

    fn start() -> Self {
        let cluster = LightCluster::start("api").unwrap();
        let kubectl = |arguments: &[&str]| cluster.kubectl(arguments, "").unwrap();
        kubectl(&["create", "namespace", SYSTEM]);
        kubectl(&["apply", "--server-side", "-k", &format!("{BASE}/crds")]);
        kubectl(&["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]);
        kubectl(&["apply", "-k", &format!("{BASE}/api")]);
        kubectl(&["apply", "-k", &format!("{BASE}/users")]);
        let mut config: Value =
            serde_json::from_str(&kubectl(&["config", "view", "--raw", "--flatten", "-o", "json"])).unwrap();
        config["users"][0]["user"] = json!({ "token": kubectl(&["-n", SYSTEM, "create", "token", "komputer-api"]) });
        let kubeconfig = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(kubeconfig.path(), config.to_string()).unwrap();
        Self { cluster, kubeconfig }
    }

    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.cluster.kubectl(arguments, "").unwrap()
    }

    pub fn apply(&self, object: &Value) {
        self.cluster.kubectl(&["apply", "--server-side", "-f", "-"], &object.to_string()).unwrap();
    }

    pub fn namespace(&self, name: &str) {
        self.apply(&json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}));
    }

    /// Writes an object's status, as the operator does.
    pub fn set_status(&self, kind: &str, namespace: &str, name: &str, status: &Value) {
        let patch = json!({ "status": status }).to_string();
        self.kubectl(&["-n", namespace, "patch", kind, name, "--subresource=status", "--type=merge", "-p", &patch]);
    }

    /// The token of a ServiceAccount that is made for it, with `role` in its namespace where one is given.
    pub fn token(&self, namespace: &str, account: &str, role: Option<&str>) -> String {
        self.apply(&json!({
            "apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": account, "namespace": namespace},
        }));
        if let Some(role) = role {
            self.apply(&binding("RoleBinding", namespace, account, role));
        }
        self.kubectl(&["-n", namespace, "create", "token", account])
    }

    /// As [`Self::token`], with `role` in all namespaces.
    pub fn token_everywhere(&self, namespace: &str, account: &str, role: &str) -> String {
        let token = self.token(namespace, account, None);
        self.apply(&binding("ClusterRoleBinding", namespace, account, role));
        token
    }
}

fn binding(kind: &str, namespace: &str, account: &str, role: &str) -> Value {
    let mut binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": account},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
    });
    if kind == "RoleBinding" {
        binding["metadata"]["namespace"] = namespace.into();
    }
    binding
}

pub fn agent(namespace: &str, name: &str, labels: &Value, spec: &Value) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent",
        "metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": spec,
    })
}

pub fn task(namespace: &str, name: &str, agent: &str) -> Value {
    json!({
        "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerTask",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"agentRef": {"name": agent}, "instructions": "count"},
    })
}
