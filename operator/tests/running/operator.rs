//! The real operator at a real apiserver and Redis.
use std::process::{Child, Command};

use komputer_operator::bootstrap;
use komputer_tests::{
    cluster::LightCluster,
    ports::free_port,
    redis::{Memory, Redis},
};

pub const SYSTEM: &str = "komputer-system";
/// Every redis user of these tests has its name as its password.
const OPERATOR: &str = "komputer-operator";

/// The operator; it is killed where this is dropped.
pub struct Operator {
    program: Child,
    health: String,
}

impl Operator {
    pub fn start(cluster: &LightCluster, redis: &Redis, more: &[&str]) -> Self {
        Self::start_failing(cluster, redis, more, "")
    }

    /// Starts one with failpoints, as the crate `fail` has them.
    pub fn start_failing(cluster: &LightCluster, redis: &Redis, more: &[&str], failpoints: &str) -> Self {
        let health = format!("127.0.0.1:{}", free_port());
        let program = Command::new(env!("CARGO_BIN_EXE_komputer-operator"))
            .args(["--agent-image", "localhost/komputer-agent:dev", "--health-listen", &health])
            .args(["--redis-address", &redis.address().to_string(), "--namespace", SYSTEM])
            .args(more)
            .env("KUBECONFIG", cluster.kubeconfig())
            .env("FAILPOINTS", failpoints)
            .spawn();
        Self { program: program.expect("the operator"), health }
    }

    /// Sends it a signal, like `STOP`.
    #[allow(dead_code, reason = "not every suite does")]
    pub fn signal(&self, signal: &str) {
        let kill = Command::new("kill").arg(format!("-{signal}")).arg(self.program.id().to_string()).status();
        assert!(kill.unwrap().success());
    }

    /// Whether it has ended by itself.
    #[allow(dead_code, reason = "not every suite asks")]
    pub fn has_ended(&mut self) -> bool {
        self.program.try_wait().unwrap().is_some()
    }

    /// Whether it leads: only who does counts agents.
    #[allow(dead_code, reason = "not every suite asks")]
    pub async fn leads(&self) -> bool {
        let Ok(answer) = reqwest::get(format!("http://{}/metrics", self.health)).await else { return false };
        answer.text().await.is_ok_and(|metrics| metrics.contains("komputer_operator_agents"))
    }

    /// What it counts and measures.
    #[allow(dead_code, reason = "not every suite asks")]
    pub async fn metrics(&self) -> String {
        reqwest::get(format!("http://{}/metrics", self.health)).await.unwrap().text().await.unwrap()
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        _ = self.program.kill();
        _ = self.program.wait();
    }
}

/// A Redis, and the Secret with the operator's password.
pub fn redis(cluster: &LightCluster) -> Redis {
    let acl = bootstrap::users(OPERATOR, "komputer-api");
    let password = format!("--from-literal=operator-password={OPERATOR}");
    cluster.kubectl(&["create", "secret", "generic", "komputer-redis", "-n", SYSTEM, &password], "").unwrap();
    Redis::start(&acl, Memory::Lost).expect("a Redis")
}
