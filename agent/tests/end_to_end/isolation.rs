//! Whatever runs in the agent's shell is hostile.
use std::process::Command;

use crate::{
    harness::{MODEL_KEY, SEALING_KEY, Surroundings, TOKEN},
    tasks::{ended, outcome, tool_outputs},
};

#[tokio::test]
async fn the_shell_sees_the_users_secrets_and_none_of_the_agents() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent_with(&[("SECRET_git-hub", "for-the-shell")]).await;
    let look =
        "env; cat /proc/*/environ /proc/*/cmdline /proc/*/mem; ls -l /proc/1/fd /proc/1/cwd; grep -r . . .komputer";
    agent.ask("t1", &format!("<<bash: {{ {look}; }} 2>&1 | tr '\\0' '\\n' > seen; echo looked>><<text: done>>")).await;
    let events = ended(&mut surroundings, "t1").await;
    assert_eq!((tool_outputs(&events, "t1"), outcome(&events, "t1").result.as_str()), (vec!["looked"], "done"));
    let seen = String::from_utf8_lossy(&std::fs::read(surroundings.workspace().join("seen")).unwrap()).into_owned();
    assert!(seen.contains("SECRET_GIT_HUB=for-the-shell"));
    assert!(seen.contains("/proc/1/environ: Permission denied"));
    for secret in [MODEL_KEY, TOKEN, SEALING_KEY, "KOMPUTER_REDIS_PASSWORD", "KOMPUTER_AGENT_TOKEN"] {
        assert!(!seen.contains(secret), "the shell can see {secret}");
    }
    let log = std::fs::read_to_string(surroundings.directory.path().join("agent.log")).unwrap();
    for secret in [MODEL_KEY, TOKEN, SEALING_KEY, "for-the-shell"] {
        assert!(!log.contains(secret), "the log shows {secret}");
    }
}

#[tokio::test]
async fn the_gateway_opens_to_the_shell_what_is_metered_and_nothing_else() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let agent = surroundings.start_agent().await;
    let call = |path: &str, key: &str| {
        format!(
            "exec 3<>/dev/tcp/${{ANTHROPIC_BASE_URL#http://}}; \
             printf 'GET {path} HTTP/1.0\\r\\nx-api-key: {key}\\r\\n\\r\\n' >&3; head -1 <&3"
        )
        .replace("${ANTHROPIC_BASE_URL#http://}", "127.0.0.1/${ANTHROPIC_BASE_URL##*:}")
    };
    let own = "'\"$ANTHROPIC_API_KEY\"'";
    let calls = [call("/v1/models", own), call("/ledger", own), call("/v1/models", "guess")];
    let script = calls.map(|call| format!("<<bash: {call}>>")).concat();
    agent.ask("t1", &format!("{script}<<text: done>>")).await;
    let events = ended(&mut surroundings, "t1").await;
    let statuses: Vec<_> = tool_outputs(&events, "t1").iter().map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(statuses, [Some("200"), Some("404"), Some("401")]);
}

#[tokio::test]
async fn a_second_agent_on_the_same_workspace_refuses_to_start() {
    let Some(mut surroundings) = Surroundings::prepare().await else { return };
    let _agent = surroundings.start_agent().await;
    let mut second = surroundings.spawn_agent(komputer_tests::ports::free_port(), &[]);
    assert_eq!(second.wait().unwrap().code(), Some(1));
    let log = std::fs::read_to_string(surroundings.directory.path().join("agent.log")).unwrap();
    assert!(log.contains("in use by another komputer-agent"), "{log}");
}

#[test]
fn what_is_missing_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_komputer-agent")).env_clear().output().unwrap();
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && words.contains("--name"), "{words}");
}
