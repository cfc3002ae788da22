//! When a task is over. A result is not the end: what runs in the background may bring another.
use std::time::Duration;

use komputer_events::FailureReason;
use tokio::time::Instant;

use crate::runtime::{PromptState, Signal, Turn};

/// How long background work may go on after the last turn.
const BACKGROUND: Duration = Duration::from_mins(15);
/// How long it may take, once background work has ended or a prompt was sent, until the turn begins that deals with it.
const NOTICE: Duration = Duration::from_secs(5);

/// A process whose exit code is above was killed, for example because memory ran out.
const SIGNALLED: i32 = 128;

/// How a task ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// It did what it was asked.
    Completed(Turn),
    /// Somebody cancelled it.
    Cancelled,
    /// It failed.
    Failed(FailureReason, String),
    /// Its process died in the middle; another one can go on.
    Crashed(String),
    /// It has not ended: it waits for a budget, and goes on in another process.
    Paused,
    /// It has not ended: the process is to stop, and the task goes on when it starts again.
    Suspended,
}

impl Ending {
    /// For logs, which are not for what the model says.
    pub(super) fn as_str(&self) -> &'static str {
        match self {
            Self::Completed(_) => "completed",
            Self::Cancelled => "cancelled",
            Self::Failed(reason, _) => reason.as_str(),
            Self::Crashed(_) => "crashed",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
        }
    }
}

/// How far a task is, from what its runtime tells.
#[derive(Debug, Default)]
pub(super) struct Progress {
    turn: Option<Turn>,
    background: usize,
    /// Whether background work has ended that no turn has dealt with yet.
    has_news: bool,
    idle_since: Option<Instant>,
    /// Whether a turn has begun.
    pub(super) has_begun: bool,
    /// Prompts that the model is still to read.
    pub(super) unread: usize,
}

impl Progress {
    /// Takes a signal into account, and says how the task ended if it has.
    pub(super) fn on(&mut self, signal: &Signal, now: Instant) -> Option<Ending> {
        match signal {
            Signal::Running => (self.has_begun, self.has_news, self.idle_since) = (true, false, None),
            Signal::Idle => self.idle_since = Some(now),
            Signal::Background(count) => {
                self.has_news |= *count < self.background;
                self.background = *count;
                // Waiting begins anew with whatever happens in the background.
                self.idle_since = self.idle_since.map(|_| now);
            }
            Signal::Turn(turn) => self.turn = Some(turn.clone()),
            Signal::AuthenticationFailed(words) => {
                return Some(Ending::Failed(FailureReason::AuthenticationFailed, words.clone()));
            }
            Signal::Exited { code, stderr } => return Some(self.exited(*code, stderr)),
            Signal::Prompt(_, PromptState::Started) => self.idle_since = None,
            Signal::Say(_) | Signal::Delta(_) | Signal::Prompt(..) | Signal::Initialized => {}
        }
        self.idle_since.filter(|_| self.background == 0 && !self.has_news && self.unread == 0)?;
        self.turn.clone().map(ending)
    }

    /// When waiting for background work or for a prompt to be read is over, if it is waited for.
    pub(super) fn gives_up(&self) -> Option<Instant> {
        let patience = if self.background > 0 { BACKGROUND } else { NOTICE };
        let waits = self.background > 0 || self.has_news || self.unread > 0;
        self.idle_since.filter(|_| waits).map(|since| since + patience)
    }

    /// How the task ends where it was waited long enough.
    pub(super) fn give_up(&self) -> Ending {
        match &self.turn {
            Some(turn) if self.background == 0 => ending(turn.clone()),
            _ => {
                let words = format!("{} processes in the background still run after {BACKGROUND:?}", self.background);
                Ending::Failed(FailureReason::BackgroundTimeout, words)
            }
        }
    }

    fn exited(&self, code: i32, stderr: &str) -> Ending {
        if let Some(turn) = &self.turn {
            return ending(turn.clone());
        }
        let words = format!("Claude Code ended with {code} and without a result: {stderr}");
        let words = words.trim_end_matches([':', ' ']).to_owned();
        if code > SIGNALLED { Ending::Crashed(words) } else { Ending::Failed(FailureReason::RuntimeFailed, words) }
    }
}

fn ending(turn: Turn) -> Ending {
    match turn.api_status {
        _ if turn.succeeded => Ending::Completed(turn),
        Some(401 | 403) => Ending::Failed(FailureReason::AuthenticationFailed, turn.text),
        _ if turn.is_api_error => Ending::Failed(FailureReason::ApiError, turn.text),
        _ => Ending::Failed(FailureReason::RuntimeFailed, turn.text),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn turn(text: &str, succeeded: bool) -> Turn {
        Turn { succeeded, text: text.into(), ..Turn::default() }
    }

    fn ending_after(signals: impl IntoIterator<Item = Signal>) -> Option<Ending> {
        let (mut progress, now) = (Progress::default(), Instant::now());
        signals.into_iter().find_map(|signal| progress.on(&signal, now))
    }

    #[tokio::test]
    async fn a_task_is_over_when_idle_after_a_result() {
        let done = turn("done", true);
        assert_eq!(ending_after([Signal::Running, Signal::Idle]), None);
        assert_eq!(ending_after([Signal::Running, Signal::Turn(done.clone())]), None);
        let signals = [Signal::Running, Signal::Turn(done.clone()), Signal::Idle];
        assert_eq!(ending_after(signals), Some(Ending::Completed(done)));
    }

    #[tokio::test]
    async fn background_work_is_waited_for_and_its_result_counts() {
        let (mut progress, now) = (Progress::default(), Instant::now());
        let on = |progress: &mut Progress, signals: &[Signal]| {
            assert!(signals.iter().all(|signal| progress.on(signal, now).is_none()));
        };
        let waiting = Signal::Turn(turn("waiting", true));
        on(&mut progress, &[Signal::Running, Signal::Background(1), waiting, Signal::Idle]);
        assert_eq!(progress.gives_up(), Some(now + BACKGROUND));
        assert!(matches!(progress.give_up(), Ending::Failed(FailureReason::BackgroundTimeout, _)));
        on(&mut progress, &[Signal::Background(0)]);
        assert_eq!(progress.gives_up(), Some(now + NOTICE));
        assert_eq!(progress.give_up(), Ending::Completed(turn("waiting", true)));
        on(&mut progress, &[Signal::Running, Signal::Turn(turn("done", true))]);
        assert_eq!(progress.gives_up(), None);
        assert_eq!(progress.on(&Signal::Idle, now), Some(Ending::Completed(turn("done", true))));
    }

    #[tokio::test]
    async fn a_prompt_that_the_model_is_still_to_read_is_waited_for() {
        let (mut progress, now) = (Progress { unread: 1, ..Progress::default() }, Instant::now());
        let first = Signal::Turn(turn("done", true));
        assert!([Signal::Running, first, Signal::Idle].iter().all(|signal| progress.on(signal, now).is_none()));
        assert_eq!(progress.gives_up(), Some(now + NOTICE));
        assert_eq!(progress.give_up(), Ending::Completed(turn("done", true)), "it may never be");
        progress.unread = 0;
        assert_eq!(progress.on(&Signal::Prompt(Uuid::nil(), PromptState::Started), now), None);
        assert_eq!(progress.gives_up(), None);
        assert_eq!(progress.on(&Signal::Turn(turn("more", true)), now), None);
        assert_eq!(progress.on(&Signal::Idle, now), Some(Ending::Completed(turn("more", true))));
    }

    #[tokio::test]
    async fn failures_have_a_reason() {
        let failed = |turn| match ending_after([Signal::Running, Signal::Turn(turn), Signal::Idle]) {
            Some(Ending::Failed(reason, _)) => reason,
            other => panic!("{other:?}"),
        };
        let refused = |status| Turn { api_status: Some(status), is_api_error: true, ..turn("API Error", false) };
        assert_eq!(failed(refused(400)), FailureReason::ApiError);
        assert_eq!(failed(refused(401)), FailureReason::AuthenticationFailed);
        assert_eq!(failed(Turn { is_api_error: true, ..turn("no connection", false) }), FailureReason::ApiError);
        assert_eq!(failed(turn("no conversation found", false)), FailureReason::RuntimeFailed);
    }

    #[tokio::test]
    async fn a_process_that_ends_early_has_failed() {
        let exit = |code, stderr: &str| [Signal::Running, Signal::Exited { code, stderr: stderr.into() }];
        let words = |words: &str| format!("Claude Code ended with {words}");
        let failed = Ending::Failed(FailureReason::RuntimeFailed, words("1 and without a result: no such flag"));
        assert_eq!(ending_after(exit(1, "no such flag")), Some(failed));
        assert_eq!(ending_after(exit(137, "")), Some(Ending::Crashed(words("137 and without a result"))));
    }
}
