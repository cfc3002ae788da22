//! What managers ask of their offices.
use komputer_events::office::{
    AfterTask, AskAgent, CreateAgent, CreateSchedule, Named, Nothing, OfficeRequest, ReadResults, Role, WaitForTasks,
};

use serde_json::Value;

use super::{random::Random, workspace::Workspace};

/// Names that a manager comes up with; somebody else may have one of them.
const NAMES: [&str; 3] = ["w0", "w1", "bob"];

/// Something that a manager asks, mostly of who works for it.
pub(super) fn request(Workspace { given, members, .. }: &Workspace, random: &mut Random) -> OfficeRequest {
    let name = random.of(&NAMES).to_owned();
    let name = members.last().filter(|_| random.happens(600)).cloned().unwrap_or(name);
    match random.below(if members.is_empty() { 4 } else { 12 }) {
        0..=2 => OfficeRequest::CreateAgent(CreateAgent {
            name,
            instructions: random.happens(500).then(|| "do it".into()),
            role: random.of(&[None, Some(Role::Worker), Some(Role::Manager)]),
            after_task: random.of(&[None, Some(AfterTask::Sleep), Some(AfterTask::Delete)]),
            ..CreateAgent::default()
        }),
        3 => OfficeRequest::DeleteAgent(Named { name }),
        4 => OfficeRequest::ListAgents(Nothing {}),
        5..=6 => OfficeRequest::AskAgent(AskAgent { name, instructions: "do it".into() }),
        7 => {
            let tasks = given.iter().take(2).cloned().collect();
            OfficeRequest::WaitForTasks(WaitForTasks { tasks, agents: vec![name], timeout_seconds: Some(60) })
        }
        8 => OfficeRequest::CancelTask(Named { name: given.last().cloned().unwrap_or(name) }),
        9 => OfficeRequest::ReadResults(ReadResults { name, limit: None }),
        10 => OfficeRequest::CreateSchedule(CreateSchedule {
            name: random.of(&["s0", "w0-daily"]).into(),
            agent: name,
            schedule: "* * * * *".into(),
            time_zone: None,
            instructions: "do it".into(),
        }),
        _ => OfficeRequest::DeleteSchedule(Named { name: "w0-daily".into() }),
    }
}

/// What would undo what was done, and answered so.
pub(super) fn undoing(result: &Value) -> Option<OfficeRequest> {
    let named = |key: &str| result[key].as_str().map(|name| Named { name: name.into() });
    let agent = named("agent").filter(|_| result["was_there_already"] == false);
    agent.map(OfficeRequest::DeleteAgent).or_else(|| named("schedule").map(OfficeRequest::DeleteSchedule))
}
