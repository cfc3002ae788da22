//! What the operator sets. Secrets come from the environment only: arguments are readable by every process.
use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, bail};
use komputer_events::{
    AgentId, SealingKey,
    bus::{Address, Credentials},
    task::PORT,
};
use reqwest::Url;
use secrecy::SecretString;

/// The process in an agent's pod: runs Claude Code, publishes what it does, keeps the model key away from it.
#[derive(Debug, clap::Parser)]
#[command(version)]
pub(crate) struct Arguments {
    /// The agent's name.
    #[arg(long, env = "KOMPUTER_AGENT_NAME")]
    name: String,
    /// The agent's namespace.
    #[arg(long, env = "KOMPUTER_AGENT_NAMESPACE")]
    namespace: String,
    /// The uid of the agent's object; its session with Claude is derived from it.
    #[arg(long, env = "KOMPUTER_AGENT_UID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    uid: String,
    /// Redis, as HOST:PORT.
    #[arg(long, env = "KOMPUTER_REDIS_ADDRESS")]
    redis_address: Address,
    /// The agent's Redis user.
    #[arg(long, env = "KOMPUTER_REDIS_USERNAME")]
    redis_username: String,
    /// The model's API.
    #[arg(long, env = "ANTHROPIC_BASE_URL", default_value = "https://api.anthropic.com")]
    base_url: Url,
    /// Where the agent works, and what outlives its pod.
    #[arg(long, env = "KOMPUTER_WORKSPACE", default_value = "/workspace")]
    workspace: PathBuf,
    /// Where the HTTP server listens.
    #[arg(long, env = "KOMPUTER_LISTEN", default_value_t = SocketAddr::from(([0, 0, 0, 0], PORT)))]
    listen: SocketAddr,
    /// Whether the agent manages others: it gets the tools for that.
    #[arg(long, env = "KOMPUTER_MANAGER")]
    manager: bool,
    /// The Claude Code executable.
    #[arg(long, env = "KOMPUTER_CLAUDE", default_value = "/usr/local/bin/claude")]
    claude: PathBuf,
}

/// All a process needs to know before it starts.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) agent: AgentId,
    pub(crate) uid: String,
    pub(crate) redis: Address,
    pub(crate) redis_credentials: Credentials,
    /// What a client of the HTTP server presents.
    pub(crate) token: SecretString,
    /// Opens what only this agent is told.
    pub(crate) sealing_key: SealingKey,
    pub(crate) model: ModelAccess,
    pub(crate) workspace: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) claude: PathBuf,
    /// Whether the agent manages others.
    pub(crate) is_manager: bool,
    /// The user's secrets, by the name the agent's shell sees.
    pub(crate) user_secrets: Vec<(String, SecretString)>,
}

/// Where the model is, and the key that opens it.
#[derive(Debug)]
pub(crate) struct ModelAccess {
    pub(crate) base_url: Url,
    pub(crate) key: Option<SecretString>,
}

impl Arguments {
    /// Adds the secrets, which only the environment holds.
    pub(crate) fn with_environment(self) -> anyhow::Result<Config> {
        let base_url = self.base_url;
        if !matches!(base_url.scheme(), "http" | "https") || base_url.cannot_be_a_base() {
            bail!("ANTHROPIC_BASE_URL is {base_url}: expected http:// or https:// and a host");
        }
        Ok(Config {
            agent: AgentId::new(self.namespace, self.name)
                .context("KOMPUTER_AGENT_NAMESPACE and KOMPUTER_AGENT_NAME")?,
            uid: self.uid,
            redis: self.redis_address,
            redis_credentials: Credentials {
                username: self.redis_username,
                password: required("KOMPUTER_REDIS_PASSWORD")?,
            },
            token: required("KOMPUTER_AGENT_TOKEN")?.into(),
            sealing_key: SealingKey::new(&required("KOMPUTER_SEALING_KEY")?).context("KOMPUTER_SEALING_KEY")?,
            model: ModelAccess { base_url, key: optional("ANTHROPIC_API_KEY")?.map(Into::into) },
            workspace: self.workspace,
            listen: self.listen,
            claude: self.claude,
            is_manager: self.manager,
            user_secrets: user_secrets(std::env::vars_os()),
        })
    }
}

fn optional(variable: &str) -> anyhow::Result<Option<String>> {
    match std::env::var(variable) {
        Ok(value) if !value.is_empty() => Ok(Some(value)),
        Ok(_) | Err(std::env::VarError::NotPresent) => Ok(None),
        Err(std::env::VarError::NotUnicode(_)) => bail!("{variable} is not UTF-8"),
    }
}

fn required(variable: &str) -> anyhow::Result<String> {
    optional(variable)?.with_context(|| format!("{variable} is not set: the operator puts it into the agent's Secret"))
}

const USER_SECRET: &str = "SECRET_";

/// Keys of a Secret may hold `-` and `.`, names a shell can use may not.
fn user_secrets(variables: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, SecretString)> {
    let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let shell_character = |c: char| {
        let upper = c.to_ascii_uppercase();
        if upper.is_ascii_uppercase() || upper.is_ascii_digit() { upper } else { '_' }
    };
    variables
        .filter_map(text)
        .filter(|(name, _)| name.starts_with(USER_SECRET))
        .map(|(name, value)| (name.chars().map(shell_character).collect(), value.into()))
        .collect()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn users_secrets_get_names_a_shell_can_use() {
        let variables = [("SECRET_github-token.v2", "x"), ("PATH", "/bin"), ("MY_SECRET_A", "y")];
        let secrets = user_secrets(variables.map(|(name, value)| (name.into(), value.into())).into_iter());
        let shown: Vec<_> = secrets.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
        assert_eq!(shown, [("SECRET_GITHUB_TOKEN_V2", "x")]);
        assert!(!format!("{secrets:?}").contains("\"x\""));
    }
}
