//! How Claude Code is started: with an environment of our making and nothing secret in its arguments.
use std::{
    net::SocketAddr,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use secrecy::{ExposeSecret as _, SecretString};
use uuid::Uuid;

/// What is the same for every task of this process.
#[derive(Debug)]
pub(crate) struct Installation {
    /// The executable.
    pub(crate) claude: PathBuf,
    /// Where it works, and its `HOME`.
    pub(crate) workspace: PathBuf,
    /// Its configuration and transcripts.
    pub(crate) config: PathBuf,
    /// The gateway to the model.
    pub(crate) gateway: SocketAddr,
    /// Opens the gateway; it opens nothing else.
    pub(crate) gateway_token: SecretString,
    /// The user's secrets, for the agent's shell.
    pub(crate) user_secrets: Vec<(String, SecretString)>,
}

/// Which conversation to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conversation {
    /// A new one with that id.
    New(Uuid),
    /// Go on with that one.
    Resume(Uuid),
    /// Go on with that one, and with what it was doing when its process died.
    Continue(Uuid),
}

/// Tools that need nobody to answer them.
const TOOLS: &str = "Bash,WebSearch,WebFetch,Read,Write,Edit,Glob,Grep,Skill";
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

impl Installation {
    pub(super) fn command(&self, conversation: Conversation, model: &str) -> Command {
        let mut command = Command::new(&self.claude);
        command
            .args(["-p", "--output-format", "stream-json", "--input-format", "stream-json", "--verbose"])
            .args(["--include-partial-messages", "--await-initialize", "--strict-mcp-config"])
            .args(["--setting-sources=user,project", "--system-prompt-snapshot", "off"])
            .args(["--permission-mode=bypassPermissions", "--tools", TOOLS])
            .args(["--settings", r#"{"cleanupPeriodDays":36500}"#])
            .arg(format!("--model={model}"))
            .arg(match conversation {
                Conversation::New(session) => format!("--session-id={session}"),
                Conversation::Resume(session) | Conversation::Continue(session) => format!("--resume={session}"),
            })
            .current_dir(&self.workspace)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        self.environment(&mut command, conversation);
        command
    }

    /// Nothing is inherited: this process' environment holds what the agent must not know.
    fn environment(&self, command: &mut Command, conversation: Conversation) {
        let path = |path: &Path| path.as_os_str().to_owned();
        command
            .env_clear()
            .envs(self.user_secrets.iter().map(|(name, value)| (name, value.expose_secret())))
            .env("PATH", std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into()))
            .env("HOME", path(&self.workspace))
            .env("LANG", "C.UTF-8")
            .env("CLAUDE_CONFIG_DIR", path(&self.config))
            .env("CLAUDE_CODE_TMPDIR", "/tmp")
            .env("ANTHROPIC_BASE_URL", format!("http://{}", self.gateway))
            .env("ANTHROPIC_API_KEY", self.gateway_token.expose_secret())
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            .env("DISABLE_AUTOUPDATER", "1")
            .env("CLAUDE_CODE_ENTRYPOINT", "sdk-rs")
            .env("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS", "1")
            .env("CLAUDE_CODE_STARTUP_FAILURE_RESULTS", "1")
            // The transcript is what a killed task goes on from: each message is written before the next step.
            .env("CLAUDE_CODE_EAGER_FLUSH", "1");
        if matches!(conversation, Conversation::Continue(_)) {
            command
                .env("CLAUDE_CODE_RESUME_INTERRUPTED_TURN", "1")
                .env("CLAUDE_CODE_RESUME_REASON", "container_recreated");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installation() -> Installation {
        Installation {
            claude: "/usr/local/bin/claude".into(),
            workspace: "/workspace".into(),
            config: "/workspace/.claude".into(),
            gateway: SocketAddr::from(([127, 0, 0, 1], 4711)),
            gateway_token: "pod-token".into(),
            user_secrets: vec![("SECRET_GITHUB".into(), "hunter2".into())],
        }
    }

    fn arguments(command: &Command) -> Vec<String> {
        command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn arguments_hold_no_secret_and_the_environment_only_what_is_meant_for_it() {
        let command = installation().command(Conversation::New(Uuid::nil()), "claude-sonnet-4-6");
        let arguments = arguments(&command).join(" ");
        assert!(!arguments.contains("hunter2") && !arguments.contains("pod-token"), "{arguments}");
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert_eq!(
            names,
            [
                "ANTHROPIC_API_KEY",
                "ANTHROPIC_BASE_URL",
                "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
                "CLAUDE_CODE_EAGER_FLUSH",
                "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS",
                "CLAUDE_CODE_ENTRYPOINT",
                "CLAUDE_CODE_STARTUP_FAILURE_RESULTS",
                "CLAUDE_CODE_TMPDIR",
                "CLAUDE_CONFIG_DIR",
                "DISABLE_AUTOUPDATER",
                "HOME",
                "LANG",
                "PATH",
                "SECRET_GITHUB",
            ]
        );
    }

    #[test]
    fn a_killed_task_goes_on_by_itself_and_only_that() {
        let flags = |conversation| {
            let command = installation().command(conversation, "m");
            let resumes = arguments(&command).iter().any(|argument| argument.starts_with("--resume="));
            (resumes, command.get_envs().any(|(name, _)| name == "CLAUDE_CODE_RESUME_INTERRUPTED_TURN"))
        };
        assert_eq!(flags(Conversation::New(Uuid::nil())), (false, false));
        assert_eq!(flags(Conversation::Resume(Uuid::nil())), (true, false));
        assert_eq!(flags(Conversation::Continue(Uuid::nil())), (true, true));
    }
}
