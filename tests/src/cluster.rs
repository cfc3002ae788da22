//! A cluster that is etcd and kube-apiserver alone, for suites that need no node.
use std::{
    io::Write as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use anyhow::{Context, ensure};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use crate::node::Ended;

/// Such a cluster, which ends when it is dropped.
pub struct LightCluster {
    name: String,
    kubeconfig: PathBuf,
}

impl LightCluster {
    /// Starts one, in about five seconds. Its name begins with `name`; no other process has the same.
    ///
    /// # Errors
    /// It does not start; the message has the last lines of its logs.
    pub fn start(name: &str) -> anyhow::Result<Self> {
        Self::up(name, &[])
    }

    /// Starts one whose kube-controller-manager runs too: it aggregates roles, checks policies, and collects garbage.
    ///
    /// # Errors
    /// As [`LightCluster::start`].
    pub fn start_with_controllers(name: &str) -> anyhow::Result<Self> {
        Self::up(name, &["--controller-manager"])
    }

    fn up(name: &str, options: &[&str]) -> anyhow::Result<Self> {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let name = format!("{name}-{}", std::process::id());
        // Made first, so that what has started is stopped where the rest fails.
        let mut cluster = Self { kubeconfig: PathBuf::new(), name };
        succeed(cluster.devcluster("up").arg("--light").args(options))?;
        let path = succeed(&mut cluster.devcluster("kubeconfig"))?;
        cluster.kubeconfig = path.trim().into();
        Ok(cluster)
    }

    /// The file that kubectl and others find it by.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// A file of its authorities, certificates and keys, like `webhook-clients-ca.crt`.
    pub fn certificate(&self, file: &str) -> PathBuf {
        self.kubeconfig.with_file_name("pki").join(file)
    }

    /// Where its etcd answers, which nobody logs in to, as `http://HOST:PORT`.
    ///
    /// # Errors
    /// The cluster's files cannot be read.
    pub fn etcd(&self) -> anyhow::Result<String> {
        let address = std::fs::read_to_string(self.kubeconfig.with_file_name("etcd"))?;
        Ok(address.trim().to_owned())
    }

    /// A client of its administrator.
    ///
    /// # Errors
    /// The kubeconfig cannot be read.
    pub async fn client(&self) -> anyhow::Result<Client> {
        let kubeconfig = Kubeconfig::read_from(&self.kubeconfig)?;
        let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await?;
        Ok(Client::try_from(config)?)
    }

    /// Runs kubectl with `input` on its standard input, and tells how it ended.
    ///
    /// # Errors
    /// kubectl cannot be run.
    pub fn try_kubectl(&self, arguments: &[&str], input: &str) -> anyhow::Result<Ended> {
        let mut command = self.devcluster("kubectl");
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().context("kubectl cannot be run")?;
        child.stdin.take().context("kubectl has no standard input")?.write_all(input.as_bytes())?;
        let Output { status, stdout, stderr } = child.wait_with_output()?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Ok(Ended { code: status.code(), stdout: text(stdout), stderr: text(stderr) })
    }

    /// Runs kubectl with `input` on its standard input, and answers what it printed.
    ///
    /// # Errors
    /// kubectl fails; the message is what it complained.
    pub fn kubectl(&self, arguments: &[&str], input: &str) -> anyhow::Result<String> {
        let ended = self.try_kubectl(arguments, input)?;
        ensure!(ended.code == Some(0), "kubectl {} failed: {}{}", arguments.join(" "), ended.stdout, ended.stderr);
        Ok(ended.stdout)
    }

    fn devcluster(&self, command: &str) -> Command {
        let mut devcluster = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../devcluster/devcluster"));
        devcluster.args([command, "--name", &self.name]);
        devcluster
    }
}

impl Drop for LightCluster {
    fn drop(&mut self) {
        if let Err(error) = succeed(&mut self.devcluster("down")) {
            eprintln!("cluster {} is left behind: {error:#}", self.name);
        }
    }
}

/// What a command prints where it succeeds.
fn succeed(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("{command:?} cannot be run"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    ensure!(output.status.success(), "{command:?} failed: {}{}", text(&output.stdout), text(&output.stderr));
    Ok(text(&output.stdout))
}
