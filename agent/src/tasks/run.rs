//! One task in one Claude Code process, from the prompt to the end.
use std::{future::pending, time::Duration};

use jiff::Timestamp;
use komputer_events::{Body, FailureReason};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    account::Account,
    deltas::Deltas,
    post::Post,
    progress::{Ending, Progress},
    queue::Queue,
    store::TaskUid,
};
use crate::{
    journal::JournalError,
    runtime::{Signal, Turn, claude::Claude},
};

/// How long Claude Code may take until it is ready for a prompt.
const START: Duration = Duration::from_mins(1);
/// How long a turn may take to stop once it is asked to.
const INTERRUPT: Duration = Duration::from_secs(10);
/// How long Claude Code may take, once ready, to take up the turn it is to go on with.
const CONTINUE: Duration = Duration::from_secs(3);
/// Events after which what the task has used up is remembered; far fewer than the journal keeps.
const CHECKPOINT: u64 = 1_000;
/// What it is told where it does not take up that turn by itself.
const GO_ON: &str = "You were interrupted by a restart. Go on with what you were asked to do.";

/// What is asked of Claude Code once it is ready.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// The task's instructions, under that id.
    Instructions(Uuid),
    /// Nothing: it goes on by itself with what it was asked before.
    Nothing,
}

/// What asks a task to end before it has.
pub(super) struct Interruptions<'a> {
    /// Somebody does not want it any more.
    pub(super) cancelled: &'a CancellationToken,
    /// The process is to stop.
    pub(super) stop: &'a CancellationToken,
}

/// A task that is being worked on.
pub(super) struct Run<'a> {
    uid: &'a TaskUid,
    account: &'a Account,
    queue: &'a Queue,
    progress: Progress,
    deltas: Deltas,
    post: Post<'a>,
    /// Whether letters may have come, or been taken back.
    has_post: bool,
    /// The summary that was made, where that is the task.
    summary: Option<String>,
    /// Whether the prompt was sent.
    is_asked: bool,
    /// How it ends once it has stopped, where it was asked to.
    asked_to_end: Option<Ending>,
    /// When waiting for what is awaited next is over.
    deadline: Option<(Instant, Overdue)>,
    checkpoint: u64,
}

/// What did not happen in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Overdue {
    Start,
    Continue,
    Interrupt,
}

impl<'a> Run<'a> {
    pub(super) fn new(uid: &'a TaskUid, account: &'a Account, queue: &'a Queue, post: Post<'a>) -> Self {
        Self {
            uid,
            account,
            queue,
            progress: Progress::default(),
            deltas: Deltas::default(),
            post,
            has_post: true,
            summary: None,
            is_asked: false,
            asked_to_end: None,
            deadline: None,
            checkpoint: account.tally().seq,
        }
    }

    /// Follows Claude Code until the task is over or the process is to stop.
    pub(super) async fn follow(
        mut self,
        claude: &mut Claude,
        ask: Ask,
        interruptions: Interruptions<'_>,
    ) -> Result<Ending, JournalError> {
        self.deadline = Some((Instant::now() + START, Overdue::Start));
        let must_end = self.account.deadline().map(instant);
        loop {
            let may_be_asked = self.asked_to_end.is_none();
            let ended = tokio::select! {
                biased;
                () = interruptions.stop.cancelled() => Some(Ending::Suspended),
                () = interruptions.cancelled.cancelled(), if may_be_asked => self.ask_to_end(claude, Ending::Cancelled),
                () = self.account.paused(), if may_be_asked => Some(Ending::Paused),
                ending = self.refused(), if may_be_asked => self.ask_to_end(claude, ending),
                () = until(must_end), if may_be_asked => {
                    let overdue = self.account.overdue(Timestamp::MAX);
                    overdue.and_then(|(reason, words)| self.ask_to_end(claude, Ending::Failed(reason, words)))
                }
                () = self.post.changed() => {
                    self.has_post = true;
                    None
                }
                () = until(self.post.due().map(instant)), if may_be_asked => {
                    self.post.overdue(Timestamp::now())?;
                    None
                }
                () = until(self.deltas.due()) => {
                    self.flush()?;
                    None
                }
                signal = claude.next() => {
                    if signal == Signal::Initialized {
                        self.begin(claude, ask);
                    }
                    let ended = self.on(signal)?;
                    let obstacle = self.account.obstacle().filter(|_| may_be_asked && ended.is_none());
                    match obstacle {
                        Some((reason, words)) => self.ask_to_end(claude, Ending::Failed(reason, words)),
                        None => ended,
                    }
                }
                () = until(self.deadline.map(|(due, _)| due)) => self.overdue(claude),
                () = until(self.progress.gives_up()) => Some(self.progress.give_up()),
            };
            if let Some(ending) = ended {
                self.flush()?;
                return Ok(self.judge(ending));
            }
            // What is said before Claude Code has taken up its turn would begin another one.
            if self.has_post && self.progress.has_begun && self.asked_to_end.is_none() {
                self.has_post = false;
                self.post.deliver(claude)?;
                self.progress.unread = self.post.unread();
            }
        }
    }

    /// Claude Code takes it for a success that it has not summarised anything.
    fn judge(&mut self, ending: Ending) -> Ending {
        match (ending, self.summary.take()) {
            (Ending::Completed(turn), None) if self.account.request().compact => {
                Ending::Failed(FailureReason::RuntimeFailed, format!("nothing was summarised: {}", turn.text))
            }
            (Ending::Completed(turn), Some(text)) if turn.text.is_empty() => Ending::Completed(Turn { text, ..turn }),
            (ending, _) => ending,
        }
    }

    fn begin(&mut self, claude: &Claude, ask: Ask) {
        match ask {
            Ask::Instructions(uuid) => {
                let request = self.account.request();
                if request.compact {
                    claude.compact(&request.instructions, uuid);
                } else {
                    claude.prompt(&request.instructions, uuid);
                }
                self.deadline = None;
                self.is_asked = true;
            }
            Ask::Nothing => self.deadline = Some((Instant::now() + CONTINUE, Overdue::Continue)),
        }
    }

    fn on(&mut self, signal: Signal) -> Result<Option<Ending>, JournalError> {
        let now = Instant::now();
        if let Signal::Prompt(id, state) = signal {
            self.post.on(id, state)?;
            self.progress.unread = self.post.unread();
        }
        let ending = self.progress.on(&signal, now);
        match signal {
            Signal::Delta(piece) => {
                if let Some(content) = self.deltas.push(&piece, now) {
                    self.account.say(Body::TextDelta { content })?;
                }
            }
            Signal::Say(body) => {
                self.flush()?;
                if let Body::Compaction { tokens_before, tokens_after, .. } = &body {
                    self.summary.replace(format!("{tokens_before} tokens before, {tokens_after} after"));
                }
                self.account.say(body)?;
                self.remember()?;
            }
            _ => {}
        }
        Ok(ending.map(|ending| self.asked_to_end.take().unwrap_or(ending)))
    }

    /// Ends the turn it is in; where there is none yet, the task ends at once.
    fn ask_to_end(&mut self, claude: &Claude, ending: Ending) -> Option<Ending> {
        if !self.is_asked && !self.progress.has_begun {
            return Some(ending);
        }
        claude.interrupt();
        self.asked_to_end = Some(ending);
        self.deadline = Some((Instant::now() + INTERRUPT, Overdue::Interrupt));
        None
    }

    /// How the task ends where it was refused another call to the model.
    async fn refused(&self) -> Ending {
        self.account.refused().await;
        let (reason, words) = self.account.refuse_if_exhausted().unwrap_or((FailureReason::ApiError, String::new()));
        Ending::Failed(reason, words)
    }

    fn overdue(&mut self, claude: &Claude) -> Option<Ending> {
        match self.deadline.take()?.1 {
            Overdue::Start => {
                let words = format!("Claude Code was not ready for a prompt within {START:?}");
                Some(Ending::Failed(FailureReason::RuntimeFailed, words))
            }
            Overdue::Continue if !self.progress.has_begun => {
                tracing::info!(task = %self.uid, "Claude Code did not take up its turn; it is told to go on");
                claude.prompt(GO_ON, Uuid::new_v4());
                None
            }
            Overdue::Continue => None,
            Overdue::Interrupt => self.asked_to_end.take(),
        }
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        self.deltas.take().map_or(Ok(()), |content| self.account.say(Body::TextDelta { content }))
    }

    fn remember(&mut self) -> Result<(), JournalError> {
        let tally = self.account.tally();
        if tally.seq >= self.checkpoint + CHECKPOINT {
            self.queue.checkpoint(self.uid, &tally)?;
            self.checkpoint = tally.seq;
        }
        Ok(())
    }
}

/// That time of day by the clock that only goes forward.
fn instant(at: Timestamp) -> Instant {
    let ahead = at.duration_since(Timestamp::now());
    Instant::now() + Duration::try_from(ahead).unwrap_or_default()
}

/// Never, where there is nothing to wait for.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}
