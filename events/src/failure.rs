use std::str::FromStr;

/// Why a task failed: the closed set that the `reason` of an error event is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// The model's API refused or failed, and trying again did not help.
    ApiError,
    /// There is no model key, or the API does not accept it.
    AuthenticationFailed,
    /// The task has cost as much as it may.
    BudgetExceeded,
    /// The task has called the model as often as it may.
    MaxTurns,
    /// The task has taken as long as it may.
    DeadlineExceeded,
    /// Claude Code could not start, or ended without a result.
    RuntimeFailed,
    /// A background process of the task did not end in time.
    BackgroundTimeout,
    /// The workspace's volume is full.
    WorkspaceFull,
}

/// A reason that this version does not know: the set grows.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no reason this version knows why a task fails")]
pub struct UnknownReason(String);

impl FailureReason {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::ApiError,
        Self::AuthenticationFailed,
        Self::BudgetExceeded,
        Self::MaxTurns,
        Self::DeadlineExceeded,
        Self::RuntimeFailed,
        Self::BackgroundTimeout,
        Self::WorkspaceFull,
    ];

    /// Whether trying again may help, with nothing changed by anybody.
    pub fn is_transient(self) -> bool {
        match self {
            Self::ApiError | Self::RuntimeFailed | Self::BackgroundTimeout => true,
            Self::AuthenticationFailed
            | Self::BudgetExceeded
            | Self::MaxTurns
            | Self::DeadlineExceeded
            | Self::WorkspaceFull => false,
        }
    }

    /// As events and conditions say it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ApiError => "ApiError",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::BudgetExceeded => "BudgetExceeded",
            Self::MaxTurns => "MaxTurns",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::RuntimeFailed => "RuntimeFailed",
            Self::BackgroundTimeout => "BackgroundTimeout",
            Self::WorkspaceFull => "WorkspaceFull",
        }
    }
}

impl FromStr for FailureReason {
    type Err = UnknownReason;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownReason(text.chars().take(64).collect());
        Self::ALL.into_iter().find(|reason| reason.as_str() == text).ok_or_else(unknown)
    }
}
