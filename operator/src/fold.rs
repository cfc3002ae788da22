//! A status is a pure fold over the agent's events, and carries the cursor it was folded up to: whatever is replayed,
//! lost or repeated between two writes, the next status is the same.
mod agent;
mod requests;
mod task;

pub use agent::{AgentSummary, LastTaskSummary};
pub use requests::{Asked, OpenRequests};
pub use task::TaskSummary;

use komputer_crds::v1beta1::Tokens;
use komputer_events::{Event, TokenUsage};

/// What can be folded from events.
pub trait Fold {
    /// Takes `event` into account, unless that has been done before.
    fn fold(&mut self, event: &Event);
}

/// The longest message a status shows, in characters.
const MESSAGE: usize = 256;

fn message(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MESSAGE - 1) {
        Some((end, _)) if line.chars().count() > MESSAGE => format!("{}…", &line[..end]),
        _ => line,
    }
}

/// The longest name a status shows, in bytes.
const NAME: usize = 253;

/// A session, where it can be one: agents are hostile, and a status with more would be refused.
fn session(id: &str) -> Option<String> {
    Some(id.to_owned()).filter(|id| !id.is_empty() && id.len() <= NAME)
}

/// The longest uid a status shows, in characters: Kubernetes' own have 36.
const UID: usize = 64;

fn add(tokens: &mut Tokens, usage: &TokenUsage) {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    tokens.input = tokens.input.saturating_add(number(usage.input_tokens));
    tokens.output = tokens.output.saturating_add(number(usage.output_tokens));
    tokens.cache_read = tokens.cache_read.saturating_add(number(usage.cache_read_input_tokens));
    tokens.cache_creation = tokens.cache_creation.saturating_add(number(usage.cache_creation_input_tokens));
}

#[cfg(test)]
mod tests;
