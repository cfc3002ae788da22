//! Agents' statements: those in Redis, and what the ledger knows of them.
use std::sync::Arc;

use backon::BackoffBuilder;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::{
    AgentId,
    bus::{BusError, retry_policy},
};
use kube::{
    ResourceExt,
    runtime::reflector::{ObjectRef, Store},
};

use super::{
    ledger::Ledger,
    statement::{Statement, Statements},
};

/// Writes statements, and has the ledger know. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    statements: Arc<dyn Statements>,
    ledger: Arc<Ledger>,
}

impl Accounts {
    /// Statements that are kept there, for that ledger.
    pub fn new(statements: impl Statements + 'static, ledger: Arc<Ledger>) -> Self {
        Self { statements: Arc::new(statements), ledger }
    }

    /// What the ledger knows.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Keeps a statement in the place of the agent's last, unless the agent is gone by now, and may be forgotten.
    ///
    /// # Errors
    /// Redis cannot be reached.
    pub async fn write(&self, statement: &Statement) -> Result<(), BusError> {
        if !self.ledger.has_agent(&statement.agent, &statement.uid) {
            return Ok(());
        }
        self.statements.write(statement).await?;
        self.ledger.keeps(statement.clone());
        Ok(())
    }

    /// Forgets agents of one name that are gone: their statements and, unless another has the name by now, their user and
    /// stream.
    ///
    /// # Errors
    /// Redis cannot be reached.
    pub(super) async fn forget(&self, agent: &AgentId, uids: &[String]) -> Result<(), BusError> {
        let with_stream = !self.ledger.has_agent_of_name(agent);
        self.statements.forget(agent, uids, with_stream).await?;
        self.ledger.forget(agent, uids);
        Ok(())
    }

    /// Takes over from whoever led before, and reads what agents have cost, for as long as it takes. Nobody gets anything
    /// before that has been done once.
    pub async fn begin(&self, agents: &Store<KomputerAgent>) {
        let mut delays = retry_policy().build();
        while let Err(error) = self.take_over(agents).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not read what agents have cost");
            tokio::time::sleep(delays.next().unwrap_or_default()).await;
        }
    }

    async fn take_over(&self, agents: &Store<KomputerAgent>) -> Result<(), BusError> {
        self.statements.take_over().await?;
        self.read(agents).await
    }

    /// Reads it again: Redis may have lost some.
    ///
    /// # Errors
    /// Redis cannot be reached.
    pub(crate) async fn read(&self, agents: &Store<KomputerAgent>) -> Result<(), BusError> {
        let found = self.statements.all().await?;
        self.ledger.has_read(found, |statement| {
            let reference = ObjectRef::new(statement.agent.name()).within(statement.agent.namespace());
            agents.get(&reference).is_some_and(|agent| agent.uid().as_ref() == Some(&statement.uid))
        });
        Ok(())
    }
}
