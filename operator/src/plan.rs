//! What a controller wants done about one object, as plain data: equal worlds give equal plans.
use std::time::Duration;

use k8s_openapi::{
    api::{
        core::v1::{PersistentVolumeClaim, Pod, Secret, ServiceAccount},
        networking::v1::NetworkPolicy,
    },
    apimachinery::pkg::api::resource::Quantity,
};
use komputer_crds::v1beta1::{KomputerAgent, KomputerOffice, KomputerSchedule, KomputerTask};
use komputer_events::{
    connector::Connector,
    office::Answer,
    task::{Allowance, Message, TaskRequest},
};
use kube::{Resource, ResourceExt};

use crate::{agent::Source, budget::Statement, keys::Sensitive};

/// A child to be server-side applied. One variant a kind: whatever can be created is listed here.
#[derive(Clone, Debug, PartialEq)]
pub enum Child {
    /// Shared by the agents of a namespace.
    ServiceAccount(Box<ServiceAccount>),
    /// Shared by the agents of a namespace.
    NetworkPolicy(Box<NetworkPolicy>),
    /// The workspace.
    Volume(Box<PersistentVolumeClaim>),
    /// A larger size of the workspace.
    VolumeSize(Exactly, Quantity),
    /// What the agent's process needs to know and nobody else may.
    Secret(Box<Secret>),
    /// The agent.
    Pod(Box<Pod>),
    /// The agent's instructions, or a schedule's run.
    Task(Box<KomputerTask>),
    /// The end of a task that the operator has made, and that another replaces.
    Cancellation(Exactly),
    /// A schedule's, squad's or office's agent. Its metadata says of which uid it is to be, or that there is to be none yet.
    Agent(Box<KomputerAgent>),
    /// The office of a manager that has none.
    Office(Box<KomputerOffice>),
    /// A schedule of an office.
    Schedule(Box<KomputerSchedule>),
}

/// An object, and no other of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exactly {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
}

impl Exactly {
    /// This object.
    pub fn of(object: &impl Resource) -> Self {
        Self { name: object.name_any(), uid: object.uid().unwrap_or_default() }
    }
}

/// A child to be removed, in the owner's namespace.
#[derive(Clone, Debug, PartialEq)]
pub enum Removal {
    /// Puts the agent to sleep, or makes room for a changed pod.
    Pod(Exactly),
    /// Throws the workspace away.
    Volume(Exactly),
    /// Forgets a run of a schedule.
    Task(Exactly),
    /// Ends a schedule's, squad's or office's agent.
    Agent(Exactly),
    /// Ends an office's schedule.
    Schedule(Exactly),
    /// Forgets a squad that nobody is a member of.
    Squad(Exactly),
}

/// Something to say to an agent. Saying it again changes nothing.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Says what it is to know from its next task on.
    Teach {
        /// The agent's pod.
        pod: PodAddress,
        /// All of it.
        sources: Vec<Source>,
    },
    /// Says what budgets let a task cost.
    Allow {
        /// The agent's pod.
        pod: PodAddress,
        /// The task's uid.
        uid: String,
        /// What it may cost.
        allowance: Allowance,
    },
    /// Says how a task reaches its connectors.
    Connect {
        /// The agent's pod.
        pod: PodAddress,
        /// The task's uid.
        task: String,
        /// All of them, with what opens them.
        connectors: Vec<Connector>,
        /// What the agent alone can open it with.
        seal: Sensitive,
    },
    /// Hands over a task.
    PutTask {
        /// The agent's pod.
        pod: PodAddress,
        /// The task's uid.
        uid: String,
        /// The task.
        request: Box<TaskRequest>,
    },
    /// Says something in the middle of the running task.
    Steer {
        /// The agent's pod.
        pod: PodAddress,
        /// The running task's uid.
        task: String,
        /// The uid of the task that says it.
        uid: String,
        /// What to say.
        message: Message,
    },
    /// Stops a task.
    CancelTask {
        /// The agent's pod.
        pod: PodAddress,
        /// The task's uid.
        uid: String,
    },
    /// Answers what a manager has asked of its office.
    Answer {
        /// The manager's pod.
        pod: PodAddress,
        /// The request's id.
        id: String,
        /// The answer.
        answer: Answer,
    },
}

/// What a manager has asked for: it is done, and then answered. Where the cluster refuses, its words are the answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Errand {
    /// The manager's pod.
    pub pod: PodAddress,
    /// The request's id.
    pub id: String,
    /// What is to be done.
    pub effect: Option<Effect>,
    /// The answer, once it is.
    pub answer: Answer,
}

/// Something to do that may well be refused.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Applies a child.
    Apply(Child),
    /// Removes one.
    Remove(Removal),
}

impl Effect {
    /// Whether it makes an agent.
    pub fn makes_agent(&self) -> bool {
        matches!(self, Self::Apply(Child::Agent(_)))
    }
}

/// How to reach an agent.
#[derive(Clone, Debug, PartialEq)]
pub struct PodAddress {
    /// The pod's uid: another pod has not heard what this one has.
    pub uid: String,
    /// How often the agent's process was started again in it: another process has forgotten what was only told to this one.
    pub restarts: i32,
    /// The pod's address.
    pub ip: String,
    /// Where the agent's server listens: agents of a squad share the address.
    pub port: u16,
    /// The bearer token its server accepts.
    pub token: Sensitive,
}

/// Something to tell people: a Kubernetes Event about the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Whether somebody should look.
    pub severity: Severity,
    /// PascalCase, from a closed set.
    pub reason: String,
    /// The details.
    pub message: String,
}

/// How much a [`Report`] matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What is to be done about one object.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan<Status> {
    /// Agents that have to be there still, or no child is made and no status written: what has gone with one is not made again.
    pub present: Vec<Exactly>,
    /// Children to remove, before any is applied.
    pub remove: Vec<Removal>,
    /// Children to apply, in order.
    pub apply: Vec<Child>,
    /// What is kept of what the agent has cost, before it is told anything.
    pub statement: Option<Statement>,
    /// What to say to the agent.
    pub calls: Vec<Call>,
    /// The status, where it is to be written.
    pub status: Option<Status>,
    /// Whether that may wait for others to be done first.
    pub is_patient: bool,
    /// What to tell people, once all else is done.
    pub reports: Vec<Report>,
    /// What managers have asked for, once all else is done.
    pub errands: Vec<Errand>,
    /// A child to apply once all else is done, because the cluster may well refuse it.
    pub last: Option<Child>,
    /// When to look again although nothing changed; `None` waits for a change.
    pub again: Option<Duration>,
}

impl<Status> Plan<Status> {
    /// Nothing is to be done.
    pub fn nothing() -> Self {
        Self {
            present: Vec::new(),
            remove: Vec::new(),
            apply: Vec::new(),
            statement: None,
            calls: Vec::new(),
            status: None,
            is_patient: false,
            reports: Vec::new(),
            errands: Vec::new(),
            last: None,
            again: None,
        }
    }

    /// Whether a task comes of it.
    pub(crate) fn makes_task(&self) -> bool {
        self.apply.iter().any(|child| matches!(child, Child::Task(_)))
    }

    /// The same, but for the status and who is told of it; it is decided on again after that time, or before.
    #[must_use]
    pub fn without_status(self, again: Duration) -> Self {
        let again = self.again.map_or(again, |before| before.min(again));
        Self { status: None, reports: Vec::new(), again: Some(again), ..self }
    }
}
