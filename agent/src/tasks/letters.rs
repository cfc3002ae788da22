//! What is said to the agent in the middle of a task. A letter lies in the record of that task until it has an end of its own,
//! which is the task's, or an earlier one. Where the task ends before the letter was read, whoever sent it sends it anew.
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use komputer_events::task::Message;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use super::{store::TaskUid, tally::Tally};

/// A message, and how far it got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter {
    /// The task that says it.
    pub(super) uid: TaskUid,
    pub(super) message: Message,
    /// Whether it is not to be read any more.
    #[serde(default)]
    pub(super) cancelled: bool,
    /// What its events say; later ones are folded in from the journal.
    #[serde(default)]
    pub(super) tally: Tally,
}

impl Letter {
    pub(super) fn new(uid: TaskUid, message: Message) -> Self {
        Self { uid, message, cancelled: false, tally: Tally::default() }
    }

    /// Whether it was said that the agent has read it.
    pub(super) fn was_read(&self) -> bool {
        self.tally.started.is_some()
    }

    /// When it has to have ended, where it was read and may not take for ever.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        let length = SignedDuration::from_millis(i64::try_from(self.message.deadline_ms?).ok()?);
        self.tally.started?.checked_add(length).ok()
    }
}

/// The id of what is asked first by the task of that uid, wherever it is asked.
pub(super) fn prompt(session: Uuid, uid: &TaskUid) -> Uuid {
    Uuid::new_v5(&session, uid.as_str().as_bytes())
}

/// The letters of the running task.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    letters: Mutex<Vec<Letter>>,
    changed: Notify,
}

impl Mailbox {
    pub(super) fn new(letters: Vec<Letter>) -> Self {
        Self { letters: Mutex::new(letters), changed: Notify::new() }
    }

    pub(super) fn all(&self) -> Vec<Letter> {
        self.lock().clone()
    }

    pub(super) fn get(&self, uid: &TaskUid) -> Option<Letter> {
        self.lock().iter().find(|letter| letter.uid == *uid).cloned()
    }

    /// When the first of them has taken as long as it may.
    pub(super) fn deadline(&self) -> Option<Timestamp> {
        self.lock().iter().filter_map(Letter::deadline).min()
    }

    /// Has others see that the letters are these now.
    pub(super) fn replace(&self, letters: Vec<Letter>) {
        *self.lock() = letters;
        self.changed.notify_one();
    }

    /// Returns once the letters have changed.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Letter>> {
        self.letters.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
