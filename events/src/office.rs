//! What a manager asks of its office: an event of type `office_request` on its stream, answered by
//! `PUT /v1/requests/{id}/answer`, 202 however often it is sent.
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Requests of one manager that may be open at a time.
pub const OPEN_REQUESTS: usize = 16;
/// Bytes of one request's JSON.
pub const REQUEST: usize = 64 * 1024;

/// What is asked: the name of a tool, and what it is called with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "tool", content = "input", rename_all = "snake_case")]
pub enum OfficeRequest {
    /// Makes an agent.
    CreateAgent(CreateAgent),
    /// Deletes an agent that the manager has made.
    DeleteAgent(Named),
    /// Lists the agents of the office.
    ListAgents(Nothing),
    /// Gives an agent a task.
    AskAgent(AskAgent),
    /// Waits until tasks have ended.
    WaitForTasks(WaitForTasks),
    /// Cancels a task that the manager has given.
    CancelTask(Named),
    /// Reads what came of an agent's last tasks.
    ReadResults(ReadResults),
    /// Has an agent do something again and again.
    CreateSchedule(CreateSchedule),
    /// Deletes a schedule that the manager has made.
    DeleteSchedule(Named),
    /// Lists the schedules that the manager has made.
    ListSchedules(Nothing),
}

/// What is asked of one thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Named {
    /// Its name.
    pub name: String,
}

/// What needs nothing said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// An agent to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateAgent {
    /// Its name: lower-case letters, digits and '-'.
    pub name: String,
    /// What it is to do at once, as its first task; it waits for tasks where this is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    /// Who the agent is, ahead of every task's instructions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_prompt: Option<String>,
    /// The Claude model; your own where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The template it is made from; your own where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// What it may do beside its own tasks; a worker where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What happens once it has no task left; it sleeps until the next one where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_task: Option<AfterTask>,
}

/// What an agent may do beside its own tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It creates and directs agents of its own.
    Manager,
    /// It does tasks.
    Worker,
}

/// What happens once an agent has no task left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AfterTask {
    /// It stays awake.
    KeepRunning,
    /// It sleeps until the next task, and keeps its workspace.
    Sleep,
    /// It loses its workspace.
    Delete,
}

/// A task for an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AskAgent {
    /// The agent.
    pub name: String,
    /// What it is to do.
    pub instructions: String,
}

/// What to wait for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitForTasks {
    /// Tasks, by the names that you were given for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tasks: Vec<String>,
    /// Agents whose tasks to wait for, all of them; of each the last task is told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
    /// How long to wait at most, in seconds; an hour where left out. What is known by then is the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
}

/// Whose results to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReadResults {
    /// The agent.
    pub name: String,
    /// How many, the latest first; 5 where left out, and 20 at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u8>,
}

/// What an agent is to do again and again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateSchedule {
    /// The schedule's name: lower-case letters, digits and '-'.
    pub name: String,
    /// The agent.
    pub agent: String,
    /// When, in cron's words, like `0 9 * * 1-5`.
    pub schedule: String,
    /// The time zone of it, like `Europe/Berlin`; UTC where left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What to do.
    pub instructions: String,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Answer {
    /// It was done.
    Result(Value),
    /// It was not, in words for the manager: what was wrong, and what to do.
    Error(String),
}

/// A tool of a manager.
#[derive(Clone, Debug)]
pub struct Tool {
    /// Its name, as in [`OfficeRequest`].
    pub name: &'static str,
    /// What it is for, in words for the manager.
    pub description: &'static str,
    /// The JSON Schema of its input.
    pub input: schemars::Schema,
}

impl OfficeRequest {
    /// All tools there are.
    pub fn tools() -> Vec<Tool> {
        let tool = |name, description, input| Tool { name, description, input };
        vec![
            tool(
                "create_agent",
                "Makes an agent that works for you, in a pod of its own. It has your secrets, skills, memories and connectors. \
                 Making the same agent again changes nothing.",
                schemars::schema_for!(CreateAgent),
            ),
            tool(
                "delete_agent",
                "Deletes an agent that you have made, with its workspace.",
                schemars::schema_for!(Named),
            ),
            tool(
                "list_agents",
                "Lists the agents that work for you: what each does and what it has cost.",
                schemars::schema_for!(Nothing),
            ),
            tool(
                "ask_agent",
                "Gives one of your agents a task, and answers at once with the task's name. The agent remembers what it has \
                 done before.",
                schemars::schema_for!(AskAgent),
            ),
            tool(
                "wait_for_tasks",
                "Waits until all of these tasks, and those of these agents, have ended, and gives their results.",
                schemars::schema_for!(WaitForTasks),
            ),
            tool("cancel_task", "Cancels a task that you have given.", schemars::schema_for!(Named)),
            tool(
                "read_results",
                "Reads what came of an agent's last tasks, the latest first.",
                schemars::schema_for!(ReadResults),
            ),
            tool(
                "create_schedule",
                "Has one of your agents do something again and again.",
                schemars::schema_for!(CreateSchedule),
            ),
            tool("delete_schedule", "Deletes a schedule that you have made.", schemars::schema_for!(Named)),
            tool("list_schedules", "Lists the schedules that you have made.", schemars::schema_for!(Nothing)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_tool_is_a_request() {
        let inputs = [
            json!({ "name": "ada", "instructions": "i", "role": "worker", "after_task": "keep_running" }),
            json!({ "name": "ada" }),
            json!({}),
            json!({ "name": "ada", "instructions": "i" }),
            json!({ "tasks": ["ada-1"], "agents": ["bob"], "timeout_seconds": 60 }),
            json!({ "name": "ada-1" }),
            json!({ "name": "ada", "limit": 3 }),
            json!({ "name": "daily", "agent": "ada", "schedule": "0 9 * * *", "instructions": "i" }),
            json!({ "name": "daily" }),
            json!({}),
        ];
        let tools = OfficeRequest::tools();
        assert_eq!(tools.len(), inputs.len());
        for (tool, input) in tools.iter().zip(inputs) {
            let wire = json!({ "tool": tool.name, "input": input });
            let request: OfficeRequest = serde_json::from_value(wire.clone()).unwrap();
            assert_eq!(serde_json::to_value(&request).unwrap(), wire, "{}", tool.name);
            let properties = &tool.input.as_value()["properties"];
            for field in wire["input"].as_object().unwrap().keys() {
                assert!(properties[field].is_object(), "{}: {field}", tool.name);
            }
        }
    }

    #[test]
    fn a_field_that_there_is_not_is_an_error() {
        let wire = json!({ "tool": "create_agent", "input": { "name": "ada", "privileged": true } });
        assert!(serde_json::from_value::<OfficeRequest>(wire).is_err());
    }
}
