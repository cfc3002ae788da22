//! Hands letters to one Claude Code process, and sees what becomes of them.
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use jiff::Timestamp;
use komputer_events::{Body, FailureReason};
use uuid::Uuid;

use super::{
    letters::{Letter, Mailbox, prompt},
    queue::Queue,
    store::TaskUid,
};
use crate::{
    journal::JournalError,
    runtime::{PromptState, claude::Claude},
};

/// The letters of one run.
pub(super) struct Post<'a> {
    task: &'a TaskUid,
    queue: &'a Queue,
    mailbox: Arc<Mailbox>,
    session: Uuid,
    /// Ids of prompts that the conversation holds.
    known: HashSet<Uuid>,
    /// Letters that were handed over and not read, and whether they are being taken back.
    unread: HashMap<Uuid, bool>,
}

impl<'a> Post<'a> {
    /// `known` are the ids of the prompts that the conversation holds.
    pub(super) fn new(
        task: &'a TaskUid,
        queue: &'a Queue,
        mailbox: Arc<Mailbox>,
        session: Uuid,
        known: HashSet<Uuid>,
    ) -> Self {
        Self { task, queue, mailbox, session, known, unread: HashMap::new() }
    }

    /// Letters that the model is still to read.
    pub(super) fn unread(&self) -> usize {
        self.unread.len()
    }

    /// Returns once there is something to hand over or to take back.
    pub(super) async fn changed(&self) {
        self.mailbox.changed().await;
    }

    /// Hands over what is new, and takes back what was cancelled.
    pub(super) fn deliver(&mut self, claude: &Claude) -> Result<(), JournalError> {
        for letter in self.mailbox.all() {
            let id = prompt(self.session, &letter.uid);
            let was_handed_over = self.unread.get(&id).copied();
            match was_handed_over {
                _ if self.known.contains(&id) => self.read(&letter)?,
                None if letter.cancelled => self.cancelled(&letter, NEVER_READ)?,
                None => {
                    claude.prompt(&letter.message.text, id);
                    self.unread.insert(id, false);
                }
                Some(false) if letter.cancelled => {
                    claude.take_back(id);
                    self.unread.insert(id, true);
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes into account what became of a prompt.
    pub(super) fn on(&mut self, id: Uuid, state: PromptState) -> Result<(), JournalError> {
        let of_this_prompt = |letter: &Letter| prompt(self.session, &letter.uid) == id;
        let Some(letter) = self.mailbox.all().into_iter().find(of_this_prompt) else { return Ok(()) };
        match state {
            PromptState::Started => {
                self.unread.remove(&id);
                self.known.insert(id);
                self.read(&letter)
            }
            // Where nobody cancelled it, the turn was interrupted, and the task ends.
            PromptState::Cancelled if self.unread.remove(&id).is_some() && letter.cancelled => {
                self.cancelled(&letter, NEVER_READ)
            }
            PromptState::Cancelled | PromptState::Other => Ok(()),
        }
    }

    /// When the first letter has taken as long as it may.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.mailbox.deadline()
    }

    /// Ends the letters that have taken as long as they may. What they set going goes on: it is the task's.
    pub(super) fn overdue(&self, now: Timestamp) -> Result<(), JournalError> {
        for letter in self.mailbox.all() {
            if letter.deadline().is_some_and(|deadline| deadline <= now) {
                let reason = FailureReason::DeadlineExceeded.as_str().into();
                let error = "the task that read it has not ended in time, and goes on".into();
                self.end(&letter, Body::Error { error, reason })?;
            }
        }
        Ok(())
    }

    fn read(&self, letter: &Letter) -> Result<(), JournalError> {
        self.queue.read_letter(self.task, &self.mailbox, &letter.uid)?;
        if letter.cancelled { self.cancelled(letter, READ) } else { Ok(()) }
    }

    fn cancelled(&self, letter: &Letter, words: &str) -> Result<(), JournalError> {
        self.end(letter, Body::TaskCancelled { reason: words.into() })
    }

    fn end(&self, letter: &Letter, terminal: Body) -> Result<(), JournalError> {
        self.queue.end_letter(self.task, &self.mailbox, &letter.uid, terminal)
    }
}

const NEVER_READ: &str = "cancelled by request before the agent has read it";
const READ: &str = "cancelled by request after the agent has read it";
