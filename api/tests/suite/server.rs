//! The process itself.
use std::{
    fs::File,
    process::{Child, Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

use super::{
    client::Client,
    cluster::Cluster,
    redis::{Redis, USER},
};

pub struct Server {
    process: Child,
    /// Where it serves, as HOST:PORT.
    pub address: String,
    pub redis: Redis,
    pub cluster: Arc<Cluster>,
    log: tempfile::NamedTempFile,
}

impl Server {
    /// Started and ready, with a Redis of its own.
    pub async fn start(flags: &[&str]) -> Self {
        let (cluster, redis) = (Cluster::shared(), Redis::start().await);
        let (address, metrics) = (free(), free());
        let log = tempfile::NamedTempFile::new().unwrap();
        let process = command(&cluster)
            .args(["--listen", &address, "--metrics-listen", &metrics])
            .args(["--redis-address", &redis.address().to_string(), "--redis-username", USER])
            .args(flags)
            .stderr(File::create(log.path()).unwrap())
            .spawn()
            .unwrap();
        let server = Self { process, address, redis, cluster, log };
        server.wait(&metrics).await;
        server
    }

    pub fn client(&self, token: &str) -> Client {
        Client::new(&self.address, Some(token))
    }

    pub fn stranger(&self) -> Client {
        Client::new(&self.address, None)
    }

    /// Ends it as the kubelet does, and waits for it.
    pub async fn terminate(&mut self) -> ExitStatus {
        kill_process(Pid::from_child(&self.process), Signal::TERM).unwrap();
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn wait(&self, metrics: &str) {
        let probe = Client::new(metrics, None);
        for _ in 0..600 {
            if probe.status("/readyz").await == Some(200) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the api did not get ready");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
        if std::thread::panicking() {
            eprintln!("{}", std::fs::read_to_string(self.log.path()).unwrap_or_default());
        }
    }
}

/// The program, with what it needs from its environment.
pub fn command(cluster: &Cluster) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_komputer-api"));
    command.env("KUBECONFIG", cluster.kubeconfig.path()).env("KOMPUTER_REDIS_PASSWORD", USER);
    command.env("KOMPUTER_LOG", "debug,hyper=info,kube=info,tungstenite=info,rustls=info,h2=info,tower=info");
    command
}

pub fn free() -> String {
    format!("127.0.0.1:{}", komputer_tests::ports::free_port())
}
