//! Agents that are gone: all they said is read, budgets take over what they have cost, and then nothing is left of them.
//!
//! Nothing holds their objects meanwhile (docs/decisions/0010).
use std::{sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use komputer_crds::v1beta1::{KomputerAgent, KomputerTask};
use komputer_events::{
    AgentId,
    bus::{BusError, Ring},
};
use kube::{Api, Client, runtime::reflector::Store};
use tokio::sync::mpsc;

use super::{accounts::Accounts, namespace::Gone, statement::Statement};
use crate::{
    access::Notice,
    agent::{AgentPod, Places},
    inbox::Inbox,
    lease::Leadership,
    queue::Queue,
    step::Step,
};

/// Does for agents that are gone what is left to do.
pub(crate) struct Departures {
    /// What they have cost.
    pub(crate) accounts: Accounts,
    /// What they said.
    pub(crate) inbox: Arc<Inbox>,
    /// Whether pods of them are left.
    pub(crate) places: Arc<Places>,
    /// As far as is known.
    pub(crate) pods: Store<AgentPod>,
    /// Who knows for certain.
    pub(crate) client: Client,
    /// Whether this process may do anything.
    pub(crate) leading: Leadership,
    /// Who may wait for them.
    pub(crate) agents: Queue<KomputerAgent>,
    /// What they may have ended.
    pub(crate) tasks: Queue<KomputerTask>,
    /// Who listens to those that follow them.
    pub(crate) rings: mpsc::Sender<Ring>,
    /// Who makes the users of those that follow them.
    pub(crate) notices: mpsc::UnboundedSender<Notice>,
}

/// How often it is looked whether pods and tasks let an agent go on.
const AGAIN: Duration = Duration::from_millis(250);
/// How long nothing is tried after an error.
const AFTER_ERROR: Duration = Duration::from_secs(2);
/// Agents that are looked at at the same time.
const CONCURRENCY: usize = 16;

/// What could not be done, and may be later.
#[derive(Debug, thiserror::Error)]
enum DepartureError {
    #[error("could not ask the apiserver: {0}")]
    Api(#[from] kube::Error),
    #[error(transparent)]
    Bus(#[from] BusError),
}

impl Departures {
    /// Does what can be done whenever something can.
    pub(crate) async fn run(self) {
        let ledger = self.accounts.ledger();
        loop {
            let gone = stream::iter(ledger.gone());
            let all = gone.map(async |(agent, gone)| self.go_on(&agent, &gone).await);
            let results: Vec<_> = all.buffer_unordered(CONCURRENCY).collect().await;
            if let Some(error) = results.into_iter().find_map(Result::err) {
                tracing::warn!(error = &error as &dyn std::error::Error, "agents that are gone are not counted yet");
                tokio::time::sleep(AFTER_ERROR).await;
            } else if !ledger.has_gone() {
                ledger.stirs().await;
            } else {
                tokio::time::timeout(AGAIN, ledger.stirs()).await.ok();
            }
        }
    }

    /// Does what can be done now about the agents of that name that are gone: one after the other, and the stream goes with
    /// the last.
    async fn go_on(&self, agent: &AgentId, all: &[Gone]) -> Result<(), DepartureError> {
        for Gone { statement, is_settled } in all {
            let may_go_on = self.leading.holds() && (*is_settled || self.settle(statement).await?);
            if !may_go_on || !self.accounts.ledger().is_counted_for_good(statement) {
                return Ok(());
            }
        }
        let uids: Vec<_> = all.iter().map(|gone| gone.statement.uid.clone()).collect();
        Step::DeleteUser.around(agent.namespace(), self.accounts.forget(agent, &uids)).await?;
        self.inbox.forget(agent);
        // Another of its name may have begun before it was known to be one.
        let _ = self.rings.send(Ring::Agents([agent.clone()].into())).await;
        let _ = self.notices.send(Notice::Forgotten(agent.clone()));
        Ok(())
    }

    /// Reads the last of what it said, once nothing more can come. Answers whether that has been done.
    async fn settle(&self, gone: &Statement) -> Result<bool, DepartureError> {
        if !self.places.has_left(&gone.agent, &gone.uid, &self.pods, &self.client).await {
            return Ok(false);
        }
        let ledger = self.accounts.ledger();
        if self.is_there(gone).await? {
            ledger.is_back(gone);
            return Ok(false);
        }
        let shares = self.inbox.read_last(gone, &ledger.meters_of(gone)).await?;
        self.inbox.announce(&gone.agent, &self.agents, &self.tasks);
        if self.inbox.has_unwritten_ends(&gone.agent) {
            return Ok(false); // another agent of its name would do it again
        }
        ledger.settle(gone, shares);
        Ok(true)
    }

    /// Whether it is there after all, by the apiserver's word: caches may be behind.
    async fn is_there(&self, gone: &Statement) -> kube::Result<bool> {
        let agents = Api::<KomputerAgent>::namespaced(self.client.clone(), gone.agent.namespace());
        let found = agents.get_metadata_opt(gone.agent.name()).await?;
        Ok(found.is_some_and(|found| found.metadata.uid.as_ref() == Some(&gone.uid)))
    }
}
