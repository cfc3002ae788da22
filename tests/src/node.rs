//! A whole node with komputer installed, as `make test-e2e` starts it.
use std::{path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context, bail, ensure};
use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, Pod, Service, ServiceAccount},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, PostParams},
};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command};

/// Where komputer is installed.
pub const SYSTEM: &str = "komputer-system";
/// How long anything may take on a busy machine. Tests wait for conditions, never for times.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// The cluster of `KUBECONFIG`.
#[derive(Clone)]
pub struct Node {
    /// As an administrator.
    pub client: Client,
    /// For komputer's HTTP servers.
    pub http: reqwest::Client,
}

impl Node {
    /// Connects.
    ///
    /// # Errors
    /// There is no cluster, or it has no komputer.
    pub async fn connect() -> anyhow::Result<Self> {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        ensure!(std::env::var_os("KUBECONFIG").is_some(), "KUBECONFIG is not set; run this suite by `make test-e2e`");
        let client = Client::try_default().await.context("no cluster; run this suite by `make test-e2e`")?;
        Ok(Self { client, http: reqwest::Client::new() })
    }

    /// A namespace of its own for one test, under Pod Security "restricted".
    ///
    /// # Errors
    /// It cannot be made.
    pub async fn namespace(&self, name: &str) -> anyhow::Result<String> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        if namespaces.get_opt(name).await?.is_some() {
            self.remove_namespace(name).await?;
            self.without_namespace(name).await?;
        }
        let labels = [("pod-security.kubernetes.io/enforce".to_owned(), "restricted".to_owned())].into();
        let metadata = ObjectMeta { name: Some(name.into()), labels: Some(labels), ..Default::default() };
        let namespace = Namespace { metadata, ..Default::default() };
        namespaces.create(&PostParams::default(), &namespace).await?;
        Ok(name.to_owned())
    }

    /// Has a namespace deleted with all that is in it; that takes a while.
    ///
    /// # Errors
    /// The apiserver refuses.
    pub async fn remove_namespace(&self, name: &str) -> anyhow::Result<()> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        namespaces.delete(name, &DeleteParams::default()).await?;
        Ok(())
    }

    /// Waits until a namespace is gone.
    ///
    /// # Errors
    /// It does not go.
    pub async fn without_namespace(&self, name: &str) -> anyhow::Result<()> {
        let namespaces = Api::<Namespace>::all(self.client.clone());
        eventually("the namespace to go", || async { Ok(namespaces.get_opt(name).await?.is_none().then_some(())) })
            .await
    }

    /// Runs kubectl with `input` on its standard input.
    ///
    /// # Errors
    /// kubectl fails; the error is what it printed.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let output = self.try_kubectl(arguments, input).await?;
        ensure!(output.code == Some(0), "kubectl {} failed: {}{}", arguments.join(" "), output.stdout, output.stderr);
        Ok(output.stdout)
    }

    /// Runs kubectl and tells how it ended.
    ///
    /// # Errors
    /// kubectl cannot be run.
    pub async fn try_kubectl(&self, arguments: &[&str], input: &str) -> anyhow::Result<Ended> {
        let mut child = devcluster("kubectl")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut stdin = child.stdin.take().context("kubectl has no standard input")?;
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        let output = child.wait_with_output().await?;
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        Ok(Ended { code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) })
    }

    /// The file that a program of the node writes its log to.
    ///
    /// # Errors
    /// The node cannot be asked.
    pub async fn log(&self, program: &str) -> anyhow::Result<PathBuf> {
        let output = devcluster("run-dir").output().await?;
        Ok(PathBuf::from(String::from_utf8(output.stdout)?.trim()).join(format!("log/{program}.log")))
    }

    /// The address of one of komputer's services, reached through its ClusterIP.
    ///
    /// # Errors
    /// There is no such service.
    pub async fn service(&self, name: &str) -> anyhow::Result<String> {
        let service = Api::<Service>::namespaced(self.client.clone(), SYSTEM).get(name).await?;
        let spec = service.spec.context("a service without a spec")?;
        let port = spec.ports.iter().flatten().next().context("a service without a port")?.port;
        Ok(format!("{}:{port}", spec.cluster_ip.context("a service without an address")?))
    }

    /// A bearer token of a service account that is made for it, bound to `role` in `namespace` where one is given.
    ///
    /// # Errors
    /// The apiserver refuses.
    pub async fn token(&self, namespace: &str, account: &str, role: Option<&str>) -> anyhow::Result<String> {
        let accounts = Api::<ServiceAccount>::namespaced(self.client.clone(), namespace);
        let object: ServiceAccount = serde_json::from_value(json!({ "metadata": { "name": account } }))?;
        match accounts.create(&PostParams::default(), &object).await {
            Err(kube::Error::Api(status)) if status.is_already_exists() => {}
            result => drop(result?),
        }
        if let Some(role) = role {
            let binding = json!({
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
                "metadata": { "name": account, "namespace": namespace },
                "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role },
                "subjects": [{ "kind": "ServiceAccount", "name": account, "namespace": namespace }],
            });
            self.kubectl(&["apply", "-f", "-"], &binding.to_string()).await?;
        }
        let request = TokenRequest { spec: Some(TokenRequestSpec::default()), ..Default::default() };
        let answer = accounts.create_token_request(account, &PostParams::default(), &request).await?;
        answer.status.and_then(|status| status.token).context("the apiserver gave no token")
    }

    /// Kills a container's first process with SIGKILL from the node, as an out-of-memory kill would.
    ///
    /// # Errors
    /// The pod has no running container.
    pub async fn kill(&self, namespace: &str, pod: &str) -> anyhow::Result<()> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), namespace);
        let uid = pods.get(pod).await?.uid().context("a pod without a uid")?;
        let pids = processes_of(&uid)?;
        ensure!(!pids.is_empty(), "pod {namespace}/{pod} has no process on this machine");
        let killed = Command::new("kill").arg("-9").args(pids.iter().map(ToString::to_string)).status().await?;
        ensure!(killed.success(), "could not kill {pids:?}");
        Ok(())
    }

    /// The names of a Deployment's or StatefulSet's pods.
    ///
    /// # Errors
    /// The apiserver refuses.
    pub async fn pods_of(&self, part: &str) -> anyhow::Result<Vec<String>> {
        let pods = Api::<Pod>::namespaced(self.client.clone(), SYSTEM);
        let selector = ListParams::default().labels(&format!("app.kubernetes.io/name={part}"));
        Ok(pods.list(&selector).await?.iter().map(ResourceExt::name_any).collect())
    }
}

/// A command of the node that the suite runs on.
fn devcluster(command: &str) -> Command {
    let mut devcluster = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../devcluster/devcluster"));
    devcluster.args([command, "--name", &std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "e2e".into())]);
    devcluster
}

/// How a program ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, unless a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained.
    pub stderr: String,
}

/// The first process of each of the pod's containers but its sandbox, by cgroup.
fn processes_of(pod_uid: &str) -> anyhow::Result<Vec<u32>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let of_pod = read("cgroup").contains(pod_uid);
        let first = read("status")
            .lines()
            .any(|line| line.strip_prefix("NSpid:").is_some_and(|pids| pids.split_whitespace().last() == Some("1")));
        if of_pod && first && !read("cmdline").contains("2147483647") {
            found.push(pid);
        }
    }
    Ok(found)
}

/// Tries until there is an answer.
///
/// # Errors
/// There is none within [`PATIENCE`]; the last error is part of the message.
pub async fn eventually<T, F>(what: &str, mut attempt: impl FnMut() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let problem = match attempt().await {
            Ok(Some(value)) => return Ok(value),
            Ok(None) => "it did not happen".to_owned(),
            Err(error) => format!("{error:#}"),
        };
        if tokio::time::Instant::now() > deadline {
            bail!("waited {} s for {what}: {problem}", PATIENCE.as_secs());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
