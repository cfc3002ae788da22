//! Why tasks fail: the closed set that the `reason` of an error event is from.

/// The kind of a task's failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The model's API refused or failed, and trying again did not help.
    ApiError,
    /// There is no model key, or the API does not accept it.
    AuthenticationFailed,
    /// The task has cost as much as it may.
    BudgetExceeded,
    /// The task has called the model as often as it may.
    MaxTurns,
    /// Claude Code could not start, or ended without a result.
    RuntimeFailed,
    /// A background process of the task did not end in time.
    BackgroundTimeout,
    /// The workspace's volume is full.
    WorkspaceFull,
}

impl Reason {
    /// As events say it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::ApiError => "ApiError",
            Self::AuthenticationFailed => "AuthenticationFailed",
            Self::BudgetExceeded => "BudgetExceeded",
            Self::MaxTurns => "MaxTurns",
            Self::RuntimeFailed => "RuntimeFailed",
            Self::BackgroundTimeout => "BackgroundTimeout",
            Self::WorkspaceFull => "WorkspaceFull",
        }
    }
}
