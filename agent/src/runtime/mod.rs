//! What can carry out a task, and what it tells while it does.
pub(crate) mod claude;

use komputer_events::Body;
use serde::Deserialize;
use uuid::Uuid;

/// What a runtime tells about the task it works on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Signal {
    /// To be published as it is.
    Say(Body),
    /// A piece of the answer, smaller than is worth an event of its own.
    Delta(String),
    /// A turn has begun.
    Running,
    /// Everything that was asked is answered, unless something still runs in the background.
    Idle,
    /// How many things run in the background.
    Background(usize),
    /// A turn has ended.
    Turn(Turn),
    /// The API does not accept the key; nothing that follows can succeed.
    AuthenticationFailed(String),
    /// What became of a prompt.
    Prompt(Uuid, PromptState),
    /// The runtime is ready for a prompt.
    Initialized,
    /// The runtime's process has ended, however it was asked to.
    Exited {
        /// Its exit code, or 128 and the signal that killed it.
        code: i32,
        /// The end of what it wrote to standard error.
        stderr: String,
    },
}

/// What becomes of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PromptState {
    /// The model reads it with its next call.
    Started,
    /// It is not read any more.
    Cancelled,
    /// Nothing that matters here.
    #[serde(other)]
    Other,
}

/// The end of one turn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Turn {
    /// Whether it did what it was asked.
    pub(crate) succeeded: bool,
    /// Its last words, or what went wrong.
    pub(crate) text: String,
    /// Why the model stopped, in the API's words.
    pub(crate) stop_reason: String,
    /// Whether it failed because the model could not be called.
    pub(crate) is_api_error: bool,
    /// The API's status, where it refused.
    pub(crate) api_status: Option<u16>,
}
