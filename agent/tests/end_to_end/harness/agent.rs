use std::{
    fmt::Display,
    fs::{self, File, Permissions},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use komputer_events::{Sealed, SealingKey, connector::Connector, task::AgentStatus};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use serde_json::{Value, json};

use super::Surroundings;

/// What the agent's HTTP server wants to hear.
pub const TOKEN: &str = "server-token-4711";
/// What only the agent's process may know.
pub const MODEL_KEY: &str = "sk-real-model-key-0815";
/// What only the operator and the agent know.
pub const SEALING_KEY: &str = "5ea1ab1e5ea1ab1e5ea1ab1e5ea1ab1e5ea1ab1e5ea1ab1e5ea1ab1e5ea1ab1e";
const USER: u32 = 10001;

/// An agent, PID 1 of its own PID namespace as in a pod: what kills it kills everything it started.
pub struct Agent {
    namespace: Child,
    url: String,
    client: Client,
}

/// A directory the agent's user can reach, with the programs and a workspace in it.
pub fn prepare_directory(claude: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), Permissions::from_mode(0o755)).unwrap();
    for (name, program) in [("claude", claude), ("komputer-agent", Path::new(env!("CARGO_BIN_EXE_komputer-agent")))] {
        let here = directory.path().join(name);
        fs::hard_link(program, &here).or_else(|_| fs::copy(program, &here).map(drop)).unwrap();
    }
    let workspace = directory.path().join("workspace");
    fs::create_dir(&workspace).unwrap();
    if geteuid().is_root() {
        chown(&workspace, Some(USER), Some(USER)).unwrap();
    }
    directory
}

/// As a pod's container: an own PID namespace, and not root. `prepare` runs before, where the tests run as root.
fn container(prepare: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["--pid", "--mount-proc", "--fork"]);
    if !prepare.is_empty() {
        command.args(["sh", "-c", &format!("{prepare} && exec \"$@\""), "sh"]);
    }
    if geteuid().is_root() {
        command.args(["setpriv", "--reuid", "10001", "--regid", "10001", "--clear-groups", "--no-new-privs"]);
    } else {
        command.args(["--user", "--map-current-user"]);
    }
    command
}

impl Surroundings {
    pub fn workspace(&self) -> PathBuf {
        self.directory.path().join("workspace")
    }

    /// Gives the next agents a workspace of their own, of that many mebibytes. Only root can.
    pub fn shrink_workspace(&mut self, mebibytes: u32) -> bool {
        self.volume = Some(mebibytes);
        geteuid().is_root()
    }

    /// An agent that is not waited for.
    pub fn spawn_agent(&self, port: u16, variables: &[(&str, &str)]) -> Child {
        let log = File::options().create(true).append(true).open(self.directory.path().join("agent.log")).unwrap();
        let mount = |mebibytes| {
            let workspace = self.workspace();
            format!("mount -t tmpfs -o mode=777,size={mebibytes}m workspace {}", workspace.display())
        };
        container(&self.volume.map(mount).unwrap_or_default())
            .arg(self.directory.path().join("komputer-agent"))
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("KOMPUTER_AGENT_NAME", "ada")
            .env("KOMPUTER_AGENT_NAMESPACE", "team-a")
            .env("KOMPUTER_AGENT_UID", "agent-uid")
            .env("KOMPUTER_REDIS_ADDRESS", self.redis.address())
            .env("KOMPUTER_REDIS_USERNAME", "agent")
            .env("KOMPUTER_REDIS_PASSWORD", "agent")
            .env("KOMPUTER_AGENT_TOKEN", TOKEN)
            .env("KOMPUTER_SEALING_KEY", SEALING_KEY)
            .env("KOMPUTER_WORKSPACE", self.workspace())
            .env("KOMPUTER_LISTEN", format!("127.0.0.1:{port}"))
            .env("KOMPUTER_CLAUDE", self.directory.path().join("claude"))
            .env("ANTHROPIC_BASE_URL", self.model.url())
            .env("ANTHROPIC_API_KEY", MODEL_KEY)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("unshare must be installed")
    }

    pub async fn start_agent(&mut self) -> Agent {
        self.start_agent_with(&[]).await
    }

    pub async fn start_agent_with(&mut self, variables: &[(&str, &str)]) -> Agent {
        let port = komputer_tests::ports::free_port();
        let url = format!("http://127.0.0.1:{port}");
        let agent = Agent { namespace: self.spawn_agent(port, variables), url, client: Client::new() };
        self.until("the agent to be ready", async |_| {
            let answer = agent.client.get(format!("{}/readyz", agent.url)).send().await;
            answer.is_ok_and(|answer| answer.status().is_success()).then_some(())
        })
        .await;
        agent
    }
}

impl Agent {
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url)).bearer_auth(TOKEN)
    }

    /// Like [`Self::request`], without the token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    pub async fn put(&self, uid: &str, task: Value) -> (StatusCode, Value) {
        let answer = self.request(Method::PUT, &format!("/v1/tasks/{uid}")).json(&task).send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// Hands over a task whose instructions are `script`.
    pub async fn ask(&self, uid: &str, script: &str) {
        let (status, body) = self.put(uid, task(script)).await;
        assert_eq!((status, body), (StatusCode::ACCEPTED, json!({})));
    }

    /// Says something in the middle of a task.
    pub async fn say(&self, task: &str, uid: &str, message: Value) -> StatusCode {
        let path = format!("/v1/tasks/{task}/messages/{uid}");
        self.request(Method::PUT, &path).json(&message).send().await.unwrap().status()
    }

    /// Says what it is to know.
    pub async fn teach(&self, knowledge: Value) -> StatusCode {
        self.request(Method::PUT, "/v1/knowledge").json(&knowledge).send().await.unwrap().status()
    }

    /// Says which connectors it has, and how the task reaches them.
    pub async fn connect(&self, task: &str, connectors: &[Connector]) {
        let names: Vec<_> = connectors.iter().map(|connector| &connector.name).collect();
        assert_eq!(self.teach(json!({ "connectors": names })).await, StatusCode::ACCEPTED);
        assert_eq!(self.tell(task, connectors).await, StatusCode::ACCEPTED);
    }

    /// Says how the task reaches its connectors.
    pub async fn tell(&self, task: &str, connectors: &[Connector]) -> StatusCode {
        let sealed = SealingKey::new(SEALING_KEY).unwrap().seal(task, connectors).unwrap();
        self.tell_sealed(task, &sealed).await
    }

    pub async fn tell_sealed(&self, task: &str, sealed: &Sealed) -> StatusCode {
        let path = format!("/v1/tasks/{task}/connectors");
        self.request(Method::PUT, &path).json(sealed).send().await.unwrap().status()
    }

    pub async fn cancel(&self, uid: &str) -> StatusCode {
        self.request(Method::POST, &format!("/v1/tasks/{uid}/cancel")).send().await.unwrap().status()
    }

    pub async fn status(&self) -> AgentStatus {
        self.request(Method::GET, "/v1/status").send().await.unwrap().json().await.unwrap()
    }

    /// The agent's process, as this PID namespace counts.
    pub fn pid(&self) -> Pid {
        *children(self.namespace.id()).first().expect("the agent must run")
    }

    /// The processes right below the agent's.
    pub fn children(&self) -> Vec<Pid> {
        children(self.pid().as_raw_nonzero())
    }

    /// As a node that loses power, but for the disk: everything is gone at once.
    pub fn kill(mut self) {
        kill_process(self.pid(), Signal::KILL).unwrap();
        self.namespace.wait().unwrap();
    }

    /// As the kubelet does; gives the exit code.
    pub fn stop(mut self) -> Option<i32> {
        kill_process(self.pid(), Signal::TERM).unwrap();
        self.namespace.wait().unwrap().code()
    }
}

fn children(pid: impl Display) -> Vec<Pid> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

impl Drop for Agent {
    /// Does nothing where a test has ended it.
    fn drop(&mut self) {
        for agent in children(self.namespace.id()) {
            let _ = kill_process(agent, Signal::KILL);
        }
        let _ = self.namespace.wait();
    }
}

pub fn task(script: &str) -> Value {
    json!({"name": "a task", "instructions": script, "model": "claude-sonnet-4-6"})
}
