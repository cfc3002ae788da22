//! A light cluster with the base and the component installed, the program with its ServiceAccount's rights, and what
//! cert-manager does there.
use std::{
    io::Write as _,
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::{Namespace, ServiceAccount},
};
use komputer_tests::{cluster::LightCluster, kustomize::build_of_user, node::eventually, ports::free_port};
use kube::{
    Api, Client,
    api::PostParams,
    config::{AuthInfo, Kubeconfig},
};
use serde_json::{Value, json};
use tempfile::NamedTempFile;

const SYSTEM: &str = "komputer-system";
const DEFINITION: &str = "komputeragents.komputer.komputer.ai";
/// What cert-manager's cainjector is told by.
const INJECT: &str = "cert-manager.io/inject-ca-from";

pub struct System {
    pub client: Client,
    cluster: LightCluster,
    /// What is installed, with webhooks that are called by URL.
    objects: Vec<Value>,
    started: SystemTime,
    health: SocketAddr,
    server: Child,
    _kubeconfig: NamedTempFile,
}

impl System {
    pub async fn start() -> Self {
        let cluster = LightCluster::start("cert-manager").expect("a cluster");
        let client = cluster.client().await.unwrap();
        let (webhooks, health) = (free_address(), free_address());
        let objects = installed(&format!("https://{webhooks}"));
        apply(&cluster, &objects, |kind| kind == "Namespace");
        apply(&cluster, &objects, is_installed_here);
        let kubeconfig = kubeconfig(&cluster, &client).await;
        let server = Command::new(env!("CARGO_BIN_EXE_komputer-webhooks"))
            .args(["--listen", &webhooks.to_string(), "--health", &health.to_string(), "--host", "127.0.0.1"])
            .envs(environment(&objects))
            .env("KUBECONFIG", kubeconfig.path())
            .spawn()
            .expect("the program");
        let namespaces = Api::<Namespace>::all(client.clone());
        eventually("the default namespace", || async { Ok(namespaces.get_opt("default").await?) }).await.unwrap();
        let started = UNIX_EPOCH + Duration::from_secs(UNIX_EPOCH.elapsed().unwrap().as_secs());
        Self { client, cluster, objects, started, health, server, _kubeconfig: kubeconfig }
    }

    /// Issues the Certificate that the component has, as cert-manager does, until so long after the start.
    pub fn keep(&self, authority: &super::Authority, until: Duration) {
        let certificate = self.certificate();
        let names = certificate["spec"]["dnsNames"].as_array().unwrap().iter();
        let names = names.map(|name| name.as_str().unwrap()).chain(["127.0.0.1"]).map(str::to_owned);
        let (leaf, key) = authority.sign(&names.collect::<Vec<_>>(), self.started + until);
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
            "metadata": { "name": certificate["spec"]["secretName"], "namespace": certificate["metadata"]["namespace"] },
            "stringData": { "tls.crt": leaf, "tls.key": key, "ca.crt": authority.certificate },
        });
        self.cluster.kubectl(&["apply", "--server-side", "-f", "-"], &secret.to_string()).unwrap();
    }

    /// Writes the authority into whatever asks for it, as cert-manager's cainjector does.
    pub fn inject(&self, authority: &super::Authority) {
        let certificate = &self.certificate()["metadata"];
        let name = format!("{}/{}", certificate["namespace"].as_str().unwrap(), certificate["name"].as_str().unwrap());
        let asking = self.objects.iter().filter(|object| object["metadata"]["annotations"][INJECT] == name);
        let injected: Vec<_> = asking.filter_map(|object| with_bundle(object, &authority.certificate)).collect();
        assert_eq!(injected.len(), 1 + converted(&self.objects), "what asks for a caBundle");
        let list = json!({ "apiVersion": "v1", "kind": "List", "items": injected }).to_string();
        let arguments = ["apply", "--server-side", "--field-manager=cainjector", "--validate=ignore", "-f", "-"];
        self.cluster.kubectl(&arguments, &list).unwrap();
    }

    fn certificate(&self) -> &Value {
        let secret = "komputer-webhooks-tls";
        self.objects.iter().find(|object| object["spec"]["secretName"] == secret).expect("the Certificate")
    }

    /// Waits until the leaf that ends so long after the start is served.
    pub async fn serves(&self, until: Duration) {
        let expected = (self.started + until).duration_since(UNIX_EPOCH).unwrap().as_secs();
        let serves = || async {
            let metrics = reqwest::get(format!("http://{}/metrics", self.health)).await?.text().await?;
            let line = metrics.lines().find(|line| line.starts_with("komputer_webhooks_certificate_expiry"));
            let value = line.and_then(|line| line.split(' ').nth(1)?.parse::<f64>().ok());
            Ok(value.filter(|value| format!("{value:.0}") == expected.to_string()))
        };
        eventually("the leaf to be served", serves).await.unwrap();
    }

    /// A client that trusts what the apiserver is told to trust takes what is served, on a connection of its own.
    pub async fn is_accepted(&self) {
        let definition = self.cluster.kubectl(&["get", "crd", DEFINITION, "-o", "json"], "").unwrap();
        let definition: Value = serde_json::from_str(&definition).unwrap();
        let client = &definition["spec"]["conversion"]["webhook"]["clientConfig"];
        let bundle: k8s_openapi::ByteString = serde_json::from_value(client["caBundle"].clone()).unwrap();
        let authorities = reqwest::Certificate::from_pem_bundle(&bundle.0).unwrap();
        let http = reqwest::Client::builder().tls_certs_only(authorities).build().unwrap();
        http.get(client["url"].as_str().unwrap()).send().await.unwrap();
    }

    pub async fn is_ready(&self) {
        eventually("the program to be ready", || async { Ok((self.readiness().await?.0 == 200).then_some(())) })
            .await
            .unwrap();
    }

    /// Waits until the program is not ready, and says so with these words.
    pub async fn is_not_ready(&self, words: &str) {
        let says = || async {
            let (status, text) = self.readiness().await?;
            Ok((status == 503 && text.contains(words)).then_some(()))
        };
        eventually(words, says).await.unwrap();
    }

    async fn readiness(&self) -> anyhow::Result<(u16, String)> {
        let answer = reqwest::get(format!("http://{}/readyz", self.health)).await?;
        Ok((answer.status().as_u16(), answer.text().await?))
    }
}

impl Drop for System {
    fn drop(&mut self) {
        _ = self.server.kill();
        _ = self.server.wait();
    }
}

/// Base and component, as users install them but for the address of the webhooks.
fn installed(url: &str) -> Vec<Value> {
    let kustomization = "
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources: [REPOSITORY/kustomize/base]
components: [REPOSITORY/kustomize/components/cert-manager]
";
    let mut objects = build_of_user(kustomization, &[]).unwrap();
    for object in &mut objects {
        for client in clients(object) {
            let path = client.pointer("/service/path").and_then(Value::as_str).unwrap();
            *client = json!({ "url": format!("{url}{path}") });
        }
    }
    objects
}

/// Where an object says how a webhook is called.
fn clients(object: &mut Value) -> Vec<&mut Value> {
    match object["kind"].as_str() {
        Some("CustomResourceDefinition") => {
            object.pointer_mut("/spec/conversion/webhook/clientConfig").into_iter().collect()
        }
        Some("ValidatingWebhookConfiguration") => {
            let webhooks = object["webhooks"].as_array_mut().into_iter().flatten();
            webhooks.map(|webhook| &mut webhook["clientConfig"]).collect()
        }
        _ => Vec::new(),
    }
}

fn converted(objects: &[Value]) -> usize {
    objects.iter().filter(|object| object.pointer("/spec/conversion/webhook").is_some()).count()
}

/// What cainjector applies to it, if anything.
fn with_bundle(object: &Value, bundle: &str) -> Option<Value> {
    let mut patch = json!({
        "apiVersion": object["apiVersion"], "kind": object["kind"], "metadata": { "name": object["metadata"]["name"] },
    });
    let bundle = json!({ "caBundle": base64(bundle) });
    if object["kind"] == "CustomResourceDefinition" {
        object.pointer("/spec/conversion/webhook")?;
        patch["spec"] = json!({ "conversion": { "webhook": { "clientConfig": bundle } } });
    } else {
        let webhook = |webhook: &Value| json!({ "name": webhook["name"], "clientConfig": bundle });
        patch["webhooks"] = object["webhooks"].as_array()?.iter().map(webhook).collect();
    }
    Some(patch)
}

fn base64(text: &str) -> Value {
    serde_json::to_value(k8s_openapi::ByteString(text.as_bytes().to_vec())).unwrap()
}

/// Nothing runs here, and cert-manager's own kinds are not there.
fn is_installed_here(kind: &str) -> bool {
    let kinds = ["CustomResourceDefinition", "ValidatingWebhookConfiguration", "ServiceAccount"];
    kinds.contains(&kind) || kind.ends_with("Role") || kind.ends_with("RoleBinding")
}

fn apply(cluster: &LightCluster, objects: &[Value], which: impl Fn(&str) -> bool) {
    let items: Vec<_> = objects.iter().filter(|object| which(object["kind"].as_str().unwrap())).collect();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": items }).to_string();
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &list).unwrap();
}

/// What the Deployment sets.
fn environment(objects: &[Value]) -> Vec<(String, String)> {
    let is_it = |object: &&Value| object["kind"] == "Deployment" && object["metadata"]["name"] == "komputer-webhooks";
    let deployment = objects.iter().find(is_it).unwrap();
    let variables = deployment.pointer("/spec/template/spec/containers/0/env").unwrap().as_array().unwrap();
    let pair = |variable: &Value| Some((variable["name"].as_str()?.into(), variable["value"].as_str()?.into()));
    variables.iter().filter_map(pair).collect()
}

/// The kubeconfig of the program's own ServiceAccount.
async fn kubeconfig(cluster: &LightCluster, client: &Client) -> NamedTempFile {
    let accounts = Api::<ServiceAccount>::namespaced(client.clone(), SYSTEM);
    let request = TokenRequest { spec: Some(TokenRequestSpec::default()), ..Default::default() };
    let answer = accounts.create_token_request("komputer-webhooks", &PostParams::default(), &request).await.unwrap();
    let mut kubeconfig = Kubeconfig::read_from(cluster.kubeconfig()).unwrap();
    let token = answer.status.unwrap().token.unwrap();
    for user in &mut kubeconfig.auth_infos {
        user.auth_info = Some(AuthInfo { token: Some(token.clone().into()), ..AuthInfo::default() });
    }
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(serde_json::to_string(&kubeconfig).unwrap().as_bytes()).unwrap();
    file
}

fn free_address() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, free_port()))
}
