use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// An agent's namespace and name: what events, streams and Redis users are keyed by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AgentId {
    namespace: String,
    name: String,
}

/// Not a Kubernetes namespace and name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an agent: expected NAMESPACE/NAME, each of lower-case letters, digits, '-' and '.'")]
pub struct InvalidAgentId(String);

impl AgentId {
    /// # Errors
    /// A part is empty, longer than 253 characters, or holds a character no Kubernetes name has.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Result<Self, InvalidAgentId> {
        let (namespace, name) = (namespace.into(), name.into());
        if is_name(&namespace) && is_name(&name) {
            Ok(Self { namespace, name })
        } else {
            Err(InvalidAgentId(format!("{namespace}/{name}")))
        }
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The name within the namespace.
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A character outside this set could leave a Redis key pattern or an ACL rule.
fn is_name(part: &str) -> bool {
    (1..=253).contains(&part.len())
        && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
}

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for AgentId {
    type Err = InvalidAgentId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (namespace, name) = text.split_once('/').ok_or_else(|| InvalidAgentId(text.into()))?;
        Self::new(namespace, name)
    }
}

impl TryFrom<String> for AgentId {
    type Error = InvalidAgentId;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AgentId> for String {
    fn from(agent: AgentId) -> Self {
        agent.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let agent = AgentId::new("team-a", "ada").unwrap();
        assert_eq!(agent.to_string().parse(), Ok(agent));
    }

    #[test]
    fn nothing_that_could_widen_a_redis_pattern_is_a_name() {
        for bad in ["a", "a/", "/b", "a/b*", "a/b c", "A/b", "a/b/c", "a/{b}", "a/b\n"] {
            assert!(bad.parse::<AgentId>().is_err(), "{bad}");
        }
    }
}
