//! Works on one task after the other, each in a Claude Code process of its own.
mod endings;

use std::{collections::HashSet, io, sync::Arc, time::Duration};

use jiff::Timestamp;
use komputer_events::{
    Body, FailureReason,
    connector::{self, Connector},
    limits,
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    account::Account,
    allowances::Allowances,
    letters::{Mailbox, prompt},
    post::Post,
    progress::Ending,
    queue::{Job, Queue, QueueError},
    run::{Ask, Interruptions, Run},
    store::TaskUid,
};
use crate::{
    children::Children,
    connectors::Connectors,
    gateway::Desk,
    journal::{Journal, JournalError},
    knowledge::Known,
    mcp::{AnyServer, Relay, connector::Connector as Bridge, office::Office},
    office::Requests,
    runtime::{
        Turn,
        claude::{Claude, Conversation, End, Installation, Program, Standing, Transcript},
    },
    workspace,
};

/// How long after its first failure a task is tried again; twice as long each time after, up to the longest.
const RETRY: Duration = Duration::from_secs(10);
const LONGEST_RETRY: Duration = Duration::from_mins(5);
/// Processes of a task that may die before it fails.
const CRASHES: u32 = 3;

/// Carries out the queue's tasks.
pub(crate) struct Worker {
    pub(crate) queue: Arc<Queue>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) desk: Arc<Desk>,
    pub(crate) children: Arc<Children>,
    pub(crate) installation: Installation,
    pub(crate) known: Arc<Known>,
    /// The MCP servers of the task.
    pub(crate) connectors: Arc<Connectors>,
    /// What a manager asks of its office; nothing where the agent is no manager.
    pub(crate) office: Option<Arc<Requests>>,
    /// What budgets let tasks cost.
    pub(crate) allowances: Arc<Allowances>,
    /// Claude's session; every task of the agent is a turn in it.
    pub(crate) session: Uuid,
    /// Suspends the running task.
    pub(crate) stop: CancellationToken,
}

/// The agent cannot go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkError {
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// How a task is taken up.
enum Beginning {
    /// In a conversation, and with what is to be asked in it.
    Ask(Conversation, Ask),
    /// It was answered before the process died.
    Answered(Turn),
}

impl Worker {
    /// Works until it is told to stop.
    pub(crate) async fn run(self) -> Result<(), WorkError> {
        loop {
            let job = tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(()),
                job = self.queue.next() => job,
            };
            self.work_on(job).await?;
        }
    }

    async fn work_on(&self, job: Job) -> Result<(), WorkError> {
        let Job { uid, work, cancelled, mailbox } = job;
        tracing::info!(task = %uid, name = work.request.name, "task begins");
        let account = Arc::new(Account::new(
            uid.clone(),
            work.request,
            work.tally,
            self.journal.clone(),
            self.allowances.clone(),
        ));
        self.desk.open(account.clone());
        let ending = self.carry_out(&uid, &account, &cancelled, &mailbox).await;
        // Nothing may be charged to a task after its last event.
        self.desk.close().await;
        let ending = ending?;
        tracing::info!(task = %uid, ending = ending.as_str(), "task ends");
        if let Some(terminal) = self.terminal(&account, ending) {
            self.end_letters(&uid, &mailbox, &terminal)?;
            self.queue.end(&uid, terminal)?;
        }
        Ok(())
    }

    /// The ids of the prompts that the conversation holds, where somebody wants to know.
    fn read(&self, mailbox: &Mailbox) -> io::Result<HashSet<Uuid>> {
        if mailbox.all().is_empty() {
            return Ok(HashSet::new());
        }
        let transcript = Transcript::find(&self.installation.config, self.session)?;
        transcript.map_or(Ok(HashSet::new()), |transcript| transcript.prompts())
    }

    /// Carries a task out, again where it fails for what may pass and may be tried again.
    async fn carry_out(
        &self,
        uid: &TaskUid,
        account: &Arc<Account>,
        cancelled: &CancellationToken,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Ending, WorkError> {
        loop {
            let ending = self.try_once(uid, account, cancelled, mailbox).await?;
            let retries = account.tally().retries;
            let Some((reason, words)) = self.transient(&ending).filter(|_| retries < account.request().retries) else {
                return Ok(ending);
            };
            let delay = RETRY.saturating_mul(1 << retries.min(8)).min(LONGEST_RETRY);
            let (attempt, delay_ms) = (u64::from(retries) + 1, u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            let error = limits::cut(words, limits::TEXT);
            account.say(Body::TaskRetry { attempt, reason: reason.as_str().into(), error, delay_ms })?;
            tracing::warn!(task = %uid, reason = reason.as_str(), attempt, delay_ms, "the task is tried again");
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(Ending::Suspended),
                () = cancelled.cancelled() => return Ok(Ending::Cancelled),
                () = sleep(delay) => {}
            }
        }
    }

    /// Why a task failed, where that may pass by itself.
    fn transient<'e>(&self, ending: &'e Ending) -> Option<(FailureReason, &'e str)> {
        let (reason, words) = match ending {
            Ending::Failed(reason, words) => (*reason, words),
            Ending::Crashed(words) => (FailureReason::RuntimeFailed, words),
            _ => return None,
        };
        (reason.is_transient() && !workspace::is_full(&self.installation.workspace)).then_some((reason, words))
    }

    /// Carries a task out, in another process if its process dies in the middle.
    async fn try_once(
        &self,
        uid: &TaskUid,
        account: &Arc<Account>,
        cancelled: &CancellationToken,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Ending, WorkError> {
        self.journal.look_for_room()?;
        if let Some((reason, words)) = account.obstacle() {
            return Ok(Ending::Failed(reason, words));
        }
        let mut crashes = 0;
        loop {
            let connectors = match self.wait_for_leave(uid, account, cancelled).await? {
                Ok(connectors) => connectors,
                Err(ending) => return Ok(ending),
            };
            let ending = self.attempt(uid, account, connectors, cancelled, mailbox).await?;
            crashes += u32::from(ending != Ending::Paused);
            match ending {
                Ending::Paused => tracing::info!(task = %uid, "the task waits for a budget"),
                Ending::Crashed(words) if crashes < CRASHES => {
                    tracing::warn!(task = %uid, words, "the task goes on in another process");
                }
                ending => return Ok(ending),
            }
        }
    }

    /// Waits until budgets let the task go on and its connectors are told; gives how it ends where that comes first.
    async fn wait_for_leave(
        &self,
        uid: &TaskUid,
        account: &Account,
        cancelled: &CancellationToken,
    ) -> Result<Result<Vec<Connector>, Ending>, WorkError> {
        let overdue = async {
            match account.deadline() {
                Some(deadline) => sleep(deadline.duration_since(Timestamp::now()).try_into().unwrap_or_default()).await,
                None => std::future::pending().await,
            }
            match account.overdue(Timestamp::MAX) {
                Some((reason, words)) => Ending::Failed(reason, words),
                None => std::future::pending().await,
            }
        };
        let leave = async {
            account.wait_for_allowance().await?;
            Ok::<_, JournalError>(self.connectors.of(uid).await)
        };
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Ok(Err(Ending::Suspended)),
            () = cancelled.cancelled() => Ok(Err(Ending::Cancelled)),
            ending = overdue => Ok(Err(ending)),
            connectors = leave => Ok(Ok(connectors?)),
        }
    }

    async fn attempt(
        &self,
        uid: &TaskUid,
        account: &Arc<Account>,
        connectors: Vec<Connector>,
        cancelled: &CancellationToken,
        mailbox: &Arc<Mailbox>,
    ) -> Result<Ending, WorkError> {
        let request = account.request();
        let beginning = self.beginning(self.prompt(uid, account.tally().retries), request.compact);
        let (conversation, ask, read) = match beginning.and_then(|beginning| Ok((beginning, self.read(mailbox)?))) {
            Ok((Beginning::Ask(conversation, ask), read)) => (conversation, ask, read),
            Ok((Beginning::Answered(turn), _)) => return Ok(Ending::Completed(turn)),
            Err(error) => {
                let words =
                    format!("Claude's transcript below {} cannot be used: {error}", self.installation.config.display());
                return Ok(Ending::Failed(FailureReason::RuntimeFailed, words));
            }
        };
        account.say(Body::TaskStarted {
            instructions: limits::cut(&request.instructions, limits::TEXT),
            resuming_session: !matches!(conversation, Conversation::New(_)),
            model: request.model.clone(),
        })?;
        if request.compact && matches!(conversation, Conversation::New(_)) {
            return Ok(Ending::Completed(compacted("there is no conversation yet")));
        }
        let memories = match self.known.lay_out() {
            Ok(memories) => memories,
            Err(error) => return Ok(Ending::Failed(FailureReason::RuntimeFailed, error.to_string())),
        };
        let prompts = [request.system_prompt.clone(), memories].into_iter().flatten().collect::<Vec<_>>();
        let system_prompt = (!prompts.is_empty()).then(|| prompts.join("\n\n"));
        let (servers, programs) = self.servers(uid, account, connectors);
        let relay = Relay::connect(&servers);
        let started = Claude::start(
            &self.installation,
            &self.children,
            conversation,
            &request.model,
            system_prompt.as_deref(),
            relay,
            &programs,
        );
        let mut claude = match started {
            Ok(claude) => claude,
            Err(error) => return Ok(Ending::Failed(FailureReason::RuntimeFailed, error.to_string())),
        };
        let interruptions = Interruptions { cancelled, stop: &self.stop };
        let post = Post::new(uid, &self.queue, mailbox.clone(), self.session, read);
        let ending = Run::new(uid, account, &self.queue, post).follow(&mut claude, ask, interruptions).await;
        let is_suspended = matches!(ending, Ok(Ending::Suspended | Ending::Paused));
        claude.end(if is_suspended { End::Suspend } else { End::Finished }).await;
        Ok(ending?)
    }

    /// The MCP servers that the task may use: those in this process, and those that Claude Code starts.
    fn servers(
        &self,
        uid: &TaskUid,
        account: &Arc<Account>,
        connectors: Vec<Connector>,
    ) -> (Vec<AnyServer>, Vec<Program>) {
        let office = self.office.iter().map(|requests| Office::new(requests.clone(), account.clone()));
        let mut servers: Vec<AnyServer> = office.map(|office| Box::new(office) as _).collect();
        let mut programs = Vec::new();
        for Connector { name, server } in connectors {
            match server {
                connector::Server::Stdio { command } => programs.push(Program { name, command }),
                connector::Server::Http { url, login } => {
                    let logins = self.connectors.logins(uid, name, url, login);
                    servers.push(Box::new(Bridge::new(logins, self.connectors.catalogs.clone())));
                }
            }
        }
        (servers, programs)
    }

    /// The id of what is asked, another one each time that the task is tried again.
    fn prompt(&self, uid: &TaskUid, retries: u32) -> Uuid {
        if retries == 0 {
            return prompt(self.session, uid);
        }
        Uuid::new_v5(&self.session, format!("{uid}/{retries}").as_bytes())
    }

    fn beginning(&self, prompt: Uuid, compact: bool) -> io::Result<Beginning> {
        let Some(transcript) = Transcript::find(&self.installation.config, self.session)? else {
            return Ok(Beginning::Ask(Conversation::New(self.session), Ask::Instructions(prompt)));
        };
        Ok(match transcript.standing(prompt)? {
            Standing::Unseen => Beginning::Ask(Conversation::Resume(self.session), Ask::Instructions(prompt)),
            // That it was asked is written once the summary is.
            Standing::Interrupted if compact => Beginning::Answered(compacted("the conversation was summarised")),
            Standing::Interrupted => {
                transcript.forget_unanswered_note()?;
                Beginning::Ask(Conversation::Continue(self.session), Ask::Nothing)
            }
            Standing::Answered { text, stop_reason } => {
                Beginning::Answered(Turn { succeeded: true, text, stop_reason, ..Turn::default() })
            }
        })
    }
}

fn compacted(words: &str) -> Turn {
    Turn { succeeded: true, text: words.into(), ..Turn::default() }
}
