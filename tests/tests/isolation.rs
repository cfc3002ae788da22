//! What an agent's shell can reach, tried from inside of it.
use anyhow::Context;
use komputer_crds::v1beta1::TaskPhase;
use komputer_tests::{agents::agent, node::Node};

/// Tries everything at once and prints one line a finding; the model only passes the script on.
const PROBE: &str = r#"
key=$(printf 'scripted-model-needs-%s' no-key)
echo "environment: $(env | grep -c "$key")"
echo "proc: $(cat /proc/[0-9]*/environ 2>/dev/null | tr '\0' '\n' | grep -c "$key")"
echo "files: $(grep -rl --exclude-dir=projects "^$key$" /workspace /tmp /run /var /etc /home 2>/dev/null | wc -l)"
echo "pid1 environ: $(cat /proc/1/environ 2>&1 | grep -c -i 'permission denied')"
echo "pid1 mem: $(head -c 1 /proc/1/mem 2>&1 | grep -c -i 'permission denied')"
echo "service account: $(ls /var/run/secrets/kubernetes.io 2>&1 | grep -c 'No such file')"
echo "kubernetes: $(curl -sk -o /dev/null -w '%{http_code}' https://kubernetes.default.svc/api/v1/secrets)"
echo "agent http: $(curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:8000/v1/status)"
echo "redis: $(python3 -c 'import socket;s=socket.create_connection(("komputer-redis.komputer-system.svc",6379));s.send(b"XRANGE komputer-events:{0}:x/y - +\r\n");print(s.recv(99).split()[0].decode())')"
echo "root: $(touch /usr/x 2>&1 | grep -c -i 'read-only')"
"#;

#[tokio::test]
async fn the_shell_finds_no_key_and_no_way_out() -> anyhow::Result<()> {
    let node = Node::connect().await?;
    let namespace = node.namespace("isolation").await?;
    let script = format!("<<bash: {PROBE}>> <<text: looked>>");
    node.apply(&agent(&namespace, "ada", &script)).await?;
    let task = node.ended_task(&namespace, "ada").await?;
    assert_eq!(task.phase(), TaskPhase::Succeeded, "{:?}", task.status);
    let token = node.token(&namespace, "reader", Some("komputer-view")).await?;
    let api = node.service("komputer-api").await?;
    let url = format!("http://{api}/api/v1/agents/ada/events?namespace={namespace}&limit=200");
    let events: serde_json::Value = node.http.get(url).bearer_auth(token).send().await?.json().await?;
    let events = events["events"].as_array().context("no events")?;
    let result = events.iter().find(|event| event["type"] == "tool_result").context("no tool result")?;
    let output = result["payload"]["output"].as_str().context("no output")?;
    let expected = "environment: 0\nproc: 0\nfiles: 0\npid1 environ: 1\npid1 mem: 1\nservice account: 1\n\
                    kubernetes: 403\nagent http: 401\nredis: -NOAUTH\nroot: 1";
    assert_eq!(output.trim(), expected.replace("kubernetes: 403", &format!("kubernetes: {}", denied(output))));
    node.remove_namespace(&namespace).await
}

/// 401 or 403: which one depends on whether the apiserver lets strangers be anonymous.
fn denied(output: &str) -> &'static str {
    if output.contains("kubernetes: 401") { "401" } else { "403" }
}
