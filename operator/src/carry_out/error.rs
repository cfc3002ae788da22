use std::time::Duration;

use komputer_events::bus::BusError;

use crate::agent_client::AgentCallError;

/// A write that the apiserver has not answered by then has failed.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// Why a plan was not carried out to its end. What was done before stays; doing it again is harmless.
#[derive(Debug, thiserror::Error)]
pub enum CarryOutError {
    /// The apiserver refused.
    #[error("could not {action} {kind} {name}: {}", words(source))]
    Api {
        /// What was tried.
        action: &'static str,
        /// On what kind.
        kind: String,
        /// On which object.
        name: String,
        /// In the apiserver's words.
        #[source]
        source: Box<kube::Error>,
    },
    /// The apiserver did not answer.
    #[error("could not {action} {kind} {name}: no answer in {} s", TIMEOUT.as_secs())]
    Timeout {
        /// What was tried.
        action: &'static str,
        /// On what kind.
        kind: String,
        /// On which object.
        name: String,
    },
    /// An object of the child's name exists that this owner did not make.
    #[error("{kind} {name} exists and belongs to somebody else; delete it or choose another name")]
    NotOurs {
        /// The child's kind.
        kind: String,
        /// The child's name.
        name: String,
    },
    /// The agent could not be told.
    #[error(transparent)]
    Call(#[from] AgentCallError),
    /// It could not be kept what the agent has cost.
    #[error(transparent)]
    Keep(#[from] BusError),
    /// The object or its agent has changed since it was looked at: the status would count on from an old one, or
    /// somebody else's agent would be taken over.
    #[error("it has changed since it was looked at; it is looked at again")]
    Outdated,
    /// Another replica leads now.
    #[error("not the leader any more; nothing is written")]
    NotLeading,
}

impl CarryOutError {
    /// A bounded word for metrics and Events.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Api { .. } => "ApiError",
            Self::Timeout { .. } => "Timeout",
            Self::NotOurs { .. } => "NotOurs",
            Self::Call(_) => "AgentUnreachable",
            Self::Keep(_) => "RedisUnreachable",
            Self::Outdated => "Outdated",
            Self::NotLeading => "NotLeading",
        }
    }
}

pub(super) fn exists(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_already_exists())
}

/// What the apiserver said, without the envelope.
pub(crate) fn words(error: &kube::Error) -> String {
    match error {
        kube::Error::Api(status) => status.message.clone(),
        other => other.to_string(),
    }
}

pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_conflict())
}

/// Whether the apiserver, or who judges for it, says no to what was asked, however often it is asked.
pub(super) fn is_refusal(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if [400, 403, 413, 422].contains(&status.code))
}

pub(crate) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_not_found())
}
