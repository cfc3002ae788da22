//! The events that end a task, and what was said in the middle of it.
use jiff::Timestamp;
use komputer_events::{Body, FailureReason, Outcome, limits};

use super::{WorkError, Worker};
use crate::{
    runtime::Turn,
    tasks::{
        account::Account,
        letters::{Letter, Mailbox, prompt},
        progress::Ending,
        store::TaskUid,
    },
    workspace,
};

impl Worker {
    /// What was read in the middle of a task ends as the task does.
    pub(super) fn end_letters(&self, uid: &TaskUid, mailbox: &Mailbox, terminal: &Body) -> Result<(), WorkError> {
        let read = self.read(mailbox).unwrap_or_default(); // the task says what is wrong with the transcript
        for letter in mailbox.all().iter().filter(|letter| read.contains(&prompt(self.session, &letter.uid))) {
            self.queue.read_letter(uid, mailbox, &letter.uid)?;
        }
        let ended = |letter: &Letter| match terminal.clone() {
            Body::TaskCompleted(outcome) => {
                let since = letter.tally.started.map(|read| Timestamp::now().duration_since(read).as_millis());
                let duration_ms = since.and_then(|since| since.try_into().ok()).unwrap_or_default();
                Body::TaskCompleted(Outcome { duration_ms, turns: 0, ..outcome })
            }
            Body::Error { error, reason } => {
                let error = limits::cut(&format!("the task that read it failed: {error}"), limits::TEXT);
                Body::Error { error, reason }
            }
            _ => Body::TaskCancelled { reason: "the task that read it was cancelled".into() },
        };
        Ok(self.queue.end_letters(uid, mailbox, ended)?)
    }

    /// The event that ends the task, if it has ended.
    pub(super) fn terminal(&self, account: &Account, ending: Ending) -> Option<Body> {
        let failed = |reason: FailureReason, words: &str| {
            Some(Body::Error { error: limits::cut(words, limits::TEXT), reason: reason.as_str().into() })
        };
        match ending {
            Ending::Completed(turn) => Some(Body::TaskCompleted(self.outcome(account, turn))),
            Ending::Cancelled => Some(Body::TaskCancelled { reason: "cancelled by request".into() }),
            // Claude Code fails in many ways without room; the cause is one.
            Ending::Failed(FailureReason::RuntimeFailed, words) | Ending::Crashed(words) => {
                let is_full = workspace::is_full(&self.installation.workspace);
                failed(if is_full { FailureReason::WorkspaceFull } else { FailureReason::RuntimeFailed }, &words)
            }
            Ending::Failed(reason, words) => failed(reason, &words),
            Ending::Suspended | Ending::Paused => None,
        }
    }

    fn outcome(&self, account: &Account, turn: Turn) -> Outcome {
        let tally = account.tally();
        let duration = tally.started.map(|started| Timestamp::now().duration_since(started).as_millis());
        Outcome {
            result: limits::cut(&turn.text, limits::TEXT),
            duration_ms: duration.and_then(|duration| duration.try_into().ok()).unwrap_or_default(),
            turns: tally.turns,
            stop_reason: turn.stop_reason,
            session_id: self.session.to_string(),
            model: account.request().model.clone(),
        }
    }
}
