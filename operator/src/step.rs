//! Everything that the operator does outside of itself, by name: tests have the process die before and after each.
//!
//! Released binaries do nothing here but what they are to do (feature `failpoints`).
use crate::plan::{Call, Child, Removal};

/// One table of names, so that a test can go through all of them.
macro_rules! steps {
    ($($(#[$what:meta])* $step:ident = $name:literal,)*) => {
        /// Something that is done outside of the process.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Step {
            $($(#[$what])* $step,)*
        }

        impl Step {
            /// All there are.
            pub const ALL: &[Self] = &[$(Self::$step,)*];

            /// Its name, as in `before-NAME` and `after-NAME`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$step => $name,)*
                }
            }
        }
    };
}

steps! {
    /// It is kept what an agent has cost.
    Keep = "keep-statement",
    /// A pod goes.
    DeletePod = "delete-pod",
    /// A workspace goes.
    DeleteVolume = "delete-volume",
    /// A task goes.
    DeleteTask = "delete-task",
    /// An agent goes that the operator made.
    DeleteAgent = "delete-agent",
    /// A schedule goes that a manager made.
    DeleteSchedule = "delete-schedule",
    /// A squad goes.
    DeleteSquad = "delete-squad",
    /// Agents of a namespace get their account.
    ApplyServiceAccount = "apply-service-account",
    /// And their policies.
    ApplyNetworkPolicy = "apply-network-policy",
    /// An agent gets its Secret.
    ApplySecret = "apply-secret",
    /// Its workspace.
    CreateVolume = "create-volume",
    /// A larger one.
    ResizeVolume = "resize-volume",
    /// Its pod, or that of a squad.
    CreatePod = "create-pod",
    /// A task comes from instructions or a schedule.
    CreateTask = "create-task",
    /// A task is cancelled that a schedule made.
    CancelTask = "cancel-task",
    /// An agent comes from a schedule, a squad or a manager.
    ApplyAgent = "apply-agent",
    /// An office comes with a manager that has none.
    CreateOffice = "create-office",
    /// A schedule comes from a manager.
    CreateSchedule = "create-schedule",
    /// An agent hears what it is to know.
    Teach = "teach",
    /// How it reaches its connectors.
    Connect = "connect",
    /// What its task may cost.
    Allow = "allow",
    /// Its task.
    PutTask = "put-task",
    /// That the task is to end.
    StopTask = "stop-task",
    /// What is said to it in the middle of a task.
    Steer = "steer",
    /// What a manager has asked for.
    Answer = "answer",
    /// A status is written.
    Status = "status",
    /// People are told.
    Report = "report",
    /// The lease is taken, or renewed.
    Lease = "lease",
    /// The lease is let go of.
    Unlease = "unlease",
    /// A Secret of the installation is made.
    CreateKeys = "create-keys",
    /// An agent gets its user in Redis.
    CreateUser = "create-user",
    /// It loses it, with all it said.
    DeleteUser = "delete-user",
    /// An object is stored anew.
    Store = "store",
    /// A definition says that all are.
    DeclareStored = "declare-stored",
}

impl From<&Removal> for Step {
    fn from(removal: &Removal) -> Self {
        match removal {
            Removal::Pod(_) => Self::DeletePod,
            Removal::Volume(_) => Self::DeleteVolume,
            Removal::Task(_) => Self::DeleteTask,
            Removal::Agent(_) => Self::DeleteAgent,
            Removal::Schedule(_) => Self::DeleteSchedule,
            Removal::Squad(_) => Self::DeleteSquad,
        }
    }
}

impl From<&Child> for Step {
    fn from(child: &Child) -> Self {
        match child {
            Child::ServiceAccount(_) => Self::ApplyServiceAccount,
            Child::NetworkPolicy(_) => Self::ApplyNetworkPolicy,
            Child::Volume(_) => Self::CreateVolume,
            Child::VolumeSize(..) => Self::ResizeVolume,
            Child::Secret(_) => Self::ApplySecret,
            Child::Pod(_) => Self::CreatePod,
            Child::Task(_) => Self::CreateTask,
            Child::Cancellation(_) => Self::CancelTask,
            Child::Agent(_) => Self::ApplyAgent,
            Child::Office(_) => Self::CreateOffice,
            Child::Schedule(_) => Self::CreateSchedule,
        }
    }
}

impl From<&Call> for Step {
    fn from(call: &Call) -> Self {
        match call {
            Call::Teach { .. } => Self::Teach,
            Call::Connect { .. } => Self::Connect,
            Call::Allow { .. } => Self::Allow,
            Call::PutTask { .. } => Self::PutTask,
            Call::CancelTask { .. } => Self::StopTask,
            Call::Steer { .. } => Self::Steer,
            Call::Answer { .. } => Self::Answer,
        }
    }
}

impl Step {
    /// Does it, for objects of `place`: a namespace, or what else tells one pipeline from another.
    pub async fn around<T>(self, place: &str, doing: impl Future<Output = T>) -> T {
        reach("before", self, place);
        let done = doing.await;
        reach("after", self, place);
        done
    }
}

#[cfg(not(feature = "failpoints"))]
fn reach(_moment: &str, _step: Step, _place: &str) {}

/// A failpoint that is told to return a directory ends the process like `kill -9`, once for each place: a file in that
/// directory says that it has.
#[cfg(feature = "failpoints")]
fn reach(moment: &str, step: Step, place: &str) {
    let point = format!("{moment}-{}", step.name());
    fail::fail_point!(&point, |directory: Option<String>| {
        let death = std::path::PathBuf::from(directory.unwrap_or_default()).join(format!("{point}.{place}"));
        if std::fs::File::create_new(death).is_ok() {
            std::process::abort();
        }
    });
}
