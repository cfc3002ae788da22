use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{
    accounting::{BoundedMap, PromptCache, Tokens, output_tokens},
    answer::Answer,
    choose::{Choice, choose},
    ledger::{Entry, Ledger},
    logins::Logins,
    request::MessagesRequest,
    script::{BadScript, Block, Failure, Step},
    stream::Bill,
    tools::ToolServer,
};

/// All that the server remembers: which prefixes are cached, which failures happened, and what was billed.
pub(crate) struct Model {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) rejected_keys: Vec<String>,
    pub(crate) tools: ToolServer,
    pub(crate) logins: Logins,
    cache: Mutex<PromptCache>,
    failed: Mutex<BoundedMap<[u8; 32], u32>>,
    calls: AtomicU64,
    /// Makes ids unique over restarts.
    started: u64,
}

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAnswer {
    #[error("bad script in the prompt: {0}")]
    BadScript(#[from] BadScript),
    #[error("the script asks for error {status} here")]
    Scripted { status: u16, kind: String },
}

impl Model {
    pub(crate) fn new(ledger: Ledger, rejected_keys: Vec<String>) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Self {
            ledger: Arc::new(ledger),
            rejected_keys,
            tools: ToolServer::new(),
            logins: Logins::default(),
            cache: Mutex::default(),
            failed: Mutex::default(),
            calls: AtomicU64::new(0),
            started,
        }
    }

    /// The next number that no other message or request of this server has.
    pub(crate) fn next_id(&self) -> String {
        format!("{:08x}{:08x}", self.started, self.calls.fetch_add(1, Ordering::Relaxed))
    }

    /// Follows the script in a request.
    pub(crate) fn reply(&self, request: &MessagesRequest) -> Result<(Answer, Bill), NoAnswer> {
        let Choice { step, tag, source } = choose(request)?;
        let mut cut = false;
        match self.next_failure(&step, &source, request) {
            Some(Failure::Http { status, kind, .. }) => return Err(NoAnswer::Scripted { status, kind }),
            Some(Failure::Cut { .. }) => cut = true,
            None => {}
        }
        let blocks: Vec<_> = step.blocks.into_iter().map(|block| with_offered_shell(block, request)).collect();
        let prompt = self.cache.lock().unwrap_or_else(PoisonError::into_inner).account(request, step.prompt_tokens);
        let output_tokens = output_tokens(&blocks);
        let entry = Entry {
            script: tag,
            preview: source.chars().take(80).collect(),
            model: request.model.clone(),
            calls: 0,
            tokens: Tokens::default(),
        };
        let answer = Answer {
            id: format!("msg_scripted_{}", self.next_id()),
            model: request.model.clone(),
            blocks,
            prompt,
            output_tokens,
            stop_reason: step.stop_reason,
            hang: step.hang,
            drip: step.drip,
            cut,
        };
        Ok((answer, Bill { ledger: self.ledger.clone(), entry, prompt, output_tokens }))
    }

    /// The first of the step's failures that has not happened often enough in this conversation.
    fn next_failure(&self, step: &Step, source: &str, request: &MessagesRequest) -> Option<Failure> {
        let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        step.failures.iter().enumerate().find_map(|(at, failure)| {
            let (Failure::Http { times, .. } | Failure::Cut { times }) = failure;
            let place = json!([source, request.messages.len(), at, request.metadata]).to_string();
            let key: [u8; 32] = Sha256::digest(place).into();
            let so_far = failed.get(&key).copied().unwrap_or(0);
            if so_far >= *times {
                return None;
            }
            failed.insert(key, so_far + 1);
            Some(failure.clone())
        })
    }
}

/// Runtimes that offer the API's own shell tool call it `bash`.
fn with_offered_shell(block: Block, request: &MessagesRequest) -> Block {
    match block {
        Block::ToolUse { name, input } if name == "Bash" && !request.has_tool("Bash") && request.has_tool("bash") => {
            Block::ToolUse { name: "bash".into(), input: json!({ "command": input["command"] }) }
        }
        other => other,
    }
}
