//! What is said in the middle of the running task: accepted durably, and ended by exactly one event.
use komputer_events::{Body, limits, task::Message};

use super::{Queue, QueueError, Running, TaskUid, cancelled};
use crate::{
    journal::JournalError,
    tasks::{
        letters::{Letter, Mailbox},
        store::Record,
    },
};

/// Messages of one task that have not ended; one more is refused.
const LETTERS: usize = 100;

impl Queue {
    /// Accepts a message for the running task. The same message again changes nothing.
    pub(crate) fn send(&self, task: &TaskUid, uid: TaskUid, message: Message) -> Result<(), QueueError> {
        let state = self.lock();
        if self.store.get(&uid)?.is_some() {
            return Ok(()); // it has ended, or is a task of its own
        }
        let not_running = || QueueError::NotRunning(task.clone());
        let running = state.running.as_ref().filter(|running| running.uid == *task).ok_or_else(not_running)?;
        let mut letters = running.mailbox.all();
        if let Some(known) = letters.iter().find(|letter| letter.uid == uid) {
            return if known.message == message { Ok(()) } else { Err(QueueError::Conflict(uid)) };
        }
        if letters.len() >= LETTERS {
            return Err(QueueError::Full);
        }
        letters.push(Letter::new(uid, message));
        if !self.store.keep_letters(task, &letters)? {
            return Err(not_running());
        }
        running.mailbox.replace(letters);
        Ok(())
    }

    /// Notes that a message is not to be read any more; gives whether there is one of that uid.
    pub(super) fn cancel_letter(&self, running: &Running, uid: &TaskUid) -> Result<bool, QueueError> {
        let mut letters = running.mailbox.all();
        let Some(letter) = letters.iter_mut().find(|letter| letter.uid == *uid) else { return Ok(false) };
        letter.cancelled = true;
        self.store.keep_letters(&running.uid, &letters)?;
        running.mailbox.replace(letters);
        Ok(true)
    }

    /// Says once that the agent has read a message.
    pub(in crate::tasks) fn read_letter(
        &self,
        task: &TaskUid,
        mailbox: &Mailbox,
        uid: &TaskUid,
    ) -> Result<(), JournalError> {
        let _state = self.lock();
        let mut letters = mailbox.all();
        let unread = letters.iter_mut().find(|letter| letter.uid == *uid && !letter.was_read());
        let Some(letter) = unread else { return Ok(()) };
        let content = limits::cut(&letter.message.text, limits::TEXT);
        let body = Body::UserMessage { content, steer: true, into: Some(task.to_string()) };
        letter.tally.fold(&self.journal.append(Some(uid.as_str()), body)?);
        mailbox.replace(letters);
        Ok(())
    }

    /// Says how a message ended, and forgets it.
    pub(in crate::tasks) fn end_letter(
        &self,
        task: &TaskUid,
        mailbox: &Mailbox,
        uid: &TaskUid,
        terminal: Body,
    ) -> Result<(), JournalError> {
        let _state = self.lock();
        let mut letters = mailbox.all();
        let Some(index) = letters.iter().position(|letter| letter.uid == *uid) else { return Ok(()) };
        self.journal.append(Some(uid.as_str()), terminal)?;
        self.journal.sync_now()?;
        letters.remove(index);
        self.settle_letter(uid);
        if let Err(error) = self.store.keep_letters(task, &letters) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(%task, message = %uid, error, "that the message has ended is noted at the next start");
        }
        mailbox.replace(letters);
        Ok(())
    }

    /// Ends the messages that were read, before their task ends.
    pub(in crate::tasks) fn end_letters(
        &self,
        task: &TaskUid,
        mailbox: &Mailbox,
        terminal: impl Fn(&Letter) -> Body,
    ) -> Result<(), JournalError> {
        for letter in mailbox.all().iter().filter(|letter| letter.was_read()) {
            let body = if letter.cancelled { cancelled() } else { terminal(letter) };
            self.end_letter(task, mailbox, &letter.uid, body)?;
        }
        Ok(())
    }

    /// A message has ended, and its last event is in the journal: it is not to be said again.
    pub(super) fn settle_letter(&self, uid: &TaskUid) {
        if let Err(error) = self.store.put(uid, &Record::of_message()) {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(message = %uid, error, "that the message has ended could not be noted");
        }
    }
}
