//! A Git repository as Flux sees it: a working tree, and commits that are fetched from this process.
use std::{
    fs,
    net::{IpAddr, SocketAddr, UdpSocket},
    path::Path,
};

use anyhow::{Context, ensure};
use kube::{
    Api, Config,
    api::{Patch, PatchParams},
    core::{ApiResource, DynamicObject, GroupVersionKind},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use tokio::{net::TcpListener, process::Command};

use super::Kustomization;
use crate::node::Node;

/// A GitRepository whose status the suite writes, as Flux's source-controller would.
pub struct Repository {
    node: Node,
    namespace: String,
    name: String,
    tree: TempDir,
    archives: TempDir,
    address: SocketAddr,
}

impl Repository {
    /// An empty one, and its GitRepository.
    ///
    /// # Errors
    /// The apiserver refuses, or this machine has no address that the cluster reaches.
    pub async fn create(node: &Node, namespace: &str, name: &str) -> anyhow::Result<Self> {
        node.apply(&json!({
            "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
            "metadata": { "namespace": namespace, "name": name },
            "spec": { "interval": "1h", "url": "https://git.example.com/fleet.git" },
        }))
        .await?;
        Self::of(node, namespace, name).await
    }

    /// An empty one, for a GitRepository that somebody else makes.
    ///
    /// # Errors
    /// This machine has no address that the cluster reaches.
    pub async fn of(node: &Node, namespace: &str, name: &str) -> anyhow::Result<Self> {
        let archives = TempDir::new()?;
        let listener = TcpListener::bind((address_to_the_cluster().await?, 0)).await?;
        let address = listener.local_addr()?;
        tokio::spawn(warp::serve(warp::fs::dir(archives.path().to_owned())).incoming(listener).run());
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Ok(Self { node: node.clone(), namespace, name, tree: TempDir::new()?, archives, address })
    }

    /// Writes a file of the working tree.
    ///
    /// # Errors
    /// The disk refuses.
    pub fn write(&self, path: &str, content: impl ToString) -> anyhow::Result<()> {
        let path = self.tree.path().join(path);
        fs::create_dir_all(path.parent().context("a path without a directory")?)?;
        Ok(fs::write(path, content.to_string())?)
    }

    /// Copies a directory of the checkout into the working tree.
    ///
    /// # Errors
    /// It is not there.
    pub async fn copy(&self, from: &str, to: &str) -> anyhow::Result<()> {
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(from);
        let to = self.tree.path().join(to);
        fs::create_dir_all(to.parent().context("a path without a directory")?)?;
        let copied = Command::new("cp").arg("-rT").arg(&from).arg(&to).status().await?;
        ensure!(copied.success(), "could not copy {}", from.display());
        Ok(())
    }

    /// Removes a file or directory of the working tree.
    ///
    /// # Errors
    /// It is not there.
    pub fn remove(&self, path: &str) -> anyhow::Result<()> {
        let path = self.tree.path().join(path);
        Ok(if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }?)
    }

    /// Commits the working tree, and answers the revision that Flux is told of.
    ///
    /// # Errors
    /// There is no such GitRepository.
    pub async fn commit(&self) -> anyhow::Result<String> {
        let archive = self.archive().await?;
        let digest = hex::encode(Sha256::digest(&archive));
        let file = format!("{digest}.tar.gz");
        fs::write(self.archives.path().join(&file), &archive)?;
        let revision = format!("main@sha256:{digest}");
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let status = json!({
            "artifact": {
                "url": format!("http://{}/{file}", self.address), "path": file, "revision": revision,
                "digest": format!("sha256:{digest}"), "size": archive.len(), "lastUpdateTime": now,
            },
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "Succeeded", "message": "stored artifact",
                "lastTransitionTime": now,
            }],
        });
        let resource = ApiResource::from_gvk_with_plural(
            &GroupVersionKind::gvk("source.toolkit.fluxcd.io", "v1", "GitRepository"),
            "gitrepositories",
        );
        let repositories = Api::<DynamicObject>::namespaced_with(self.node.client.clone(), &self.namespace, &resource);
        let patch = Patch::Merge(json!({ "status": status }));
        repositories.patch_status(&self.name, &PatchParams::default(), &patch).await?;
        Ok(revision)
    }

    /// Applies a Kustomization of this repository that waits and prunes, with `spec` over what is usual here.
    ///
    /// # Errors
    /// The apiserver refuses.
    pub async fn kustomization(&self, name: &str, spec: Value) -> anyhow::Result<Kustomization> {
        let mut object = json!({
            "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
            "metadata": { "namespace": self.namespace, "name": name },
            "spec": {
                "interval": "1h", "timeout": "2m", "path": "./", "prune": true, "wait": true,
                "sourceRef": { "kind": "GitRepository", "name": self.name },
            },
        });
        for (field, value) in spec.as_object().context("a spec that is no object")? {
            object["spec"][field] = value.clone();
        }
        self.node.apply(&object).await?;
        Ok(Kustomization::of(&self.node, &self.namespace, name))
    }

    /// The same bytes for the same files.
    async fn archive(&self) -> anyhow::Result<Vec<u8>> {
        let tar = Command::new("tar")
            .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cz", "."])
            .current_dir(self.tree.path())
            .output()
            .await?;
        ensure!(tar.status.success(), "tar failed: {}", String::from_utf8_lossy(&tar.stderr));
        Ok(tar.stdout)
    }
}

/// The address of this machine that the node reaches: the one that speaks to its apiserver.
async fn address_to_the_cluster() -> anyhow::Result<IpAddr> {
    let server = Config::infer().await?.cluster_url;
    let socket = UdpSocket::bind(("0.0.0.0", 0))?;
    socket.connect((server.host().context("an apiserver without a host")?, server.port_u16().unwrap_or(443)))?;
    Ok(socket.local_addr()?.ip())
}
