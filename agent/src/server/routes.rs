use hyper::{Method, Request, StatusCode, body::Incoming, header};
use komputer_events::{
    SealError, Sealed,
    office::Answer as OfficeAnswer,
    task::{AgentStatus, Allowance, Message, TaskRequest},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use uuid::Uuid;

use super::{Answer, Server};
use crate::{
    http::{self, BodyError},
    journal::JournalError,
    knowledge::KnowledgeError,
    tasks::{AllowanceError, InvalidUid, QueueError, TaskUid},
};

/// Bytes of a request.
const BODY: usize = 1 << 20;

/// Bytes of what an agent is to know.
const KNOWLEDGE: usize = 16 << 20;

/// Why a request is refused.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("unauthorized")]
    Unauthorized,
    #[error("there is nothing at {0}")]
    NotFound(String),
    #[error("{0} is not allowed here")]
    Method(Method),
    #[error(transparent)]
    Uid(#[from] InvalidUid),
    #[error("the body is not {what}: {error}")]
    Json { what: &'static str, error: serde_json::Error },
    #[error("{field} {problem}")]
    Field { field: &'static str, problem: &'static str },
    #[error("{0:?} is no request of this agent: expected a UUID")]
    Request(String),
    #[error(transparent)]
    Journal(#[from] JournalError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    #[error(transparent)]
    Knowledge(#[from] KnowledgeError),
    #[error(transparent)]
    Allowance(#[from] AllowanceError),
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) | Self::Queue(QueueError::Unknown(_)) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Uid(_)
            | Self::Request(_)
            | Self::Json { .. }
            | Self::Field { .. }
            | Self::Seal(_)
            | Self::Body(BodyError::Broken(_))
            | Self::Knowledge(KnowledgeError::Name(_)) => StatusCode::BAD_REQUEST,
            Self::Body(BodyError::TooLong(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Body(BodyError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Queue(QueueError::Conflict(_) | QueueError::NotRunning(_) | QueueError::Sent(_)) => {
                StatusCode::CONFLICT
            }
            Self::Queue(QueueError::Full) => StatusCode::TOO_MANY_REQUESTS,
            Self::Queue(QueueError::Store(_) | QueueError::Journal(_))
            | Self::Knowledge(KnowledgeError::Io { .. })
            | Self::Journal(_)
            | Self::Allowance(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Server {
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Answer {
        self.route(request).await.unwrap_or_else(|refusal| {
            let status = refusal.status();
            if status.is_server_error() {
                tracing::error!(error = &refusal as &dyn std::error::Error, "a request failed");
            }
            json_answer(status, &json!({"error": refusal.to_string()}))
        })
    }

    async fn route(&self, request: Request<Incoming>) -> Result<Answer, Refusal> {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        // A server that answers can accept tasks: it starts last, and does not need Redis for it.
        if matches!(segments[..], ["healthz" | "readyz"]) {
            return Ok(text_answer("ok\n".into()));
        }
        if !self.is_allowed(&request) {
            return Err(Refusal::Unauthorized);
        }
        let method = request.method().clone();
        match (method, &segments[..]) {
            (Method::PUT, ["v1", "tasks", uid]) => self.put_task(uid.parse()?, request.into_body()).await,
            (Method::POST, ["v1", "tasks", uid, "cancel"]) => self.cancel_task(&uid.parse()?),
            (Method::PUT, ["v1", "tasks", uid, "allowance"]) => {
                self.put_allowance(&uid.parse()?, request.into_body()).await
            }
            (Method::PUT, ["v1", "tasks", uid, "connectors"]) => {
                self.put_connectors(uid.parse()?, request.into_body()).await
            }
            (Method::PUT, ["v1", "tasks", task, "messages", uid]) => {
                self.put_message(&task.parse()?, uid.parse()?, request.into_body()).await
            }
            (Method::PUT, ["v1", "requests", id, "answer"]) => self.put_answer(id, request.into_body()).await,
            (Method::PUT, ["v1", "knowledge"]) => self.put_knowledge(request.into_body()).await,
            (Method::GET, ["v1", "status"]) => Ok(json_answer(StatusCode::OK, &self.status())),
            (Method::GET, ["metrics"]) => Ok(text_answer(self.metrics())),
            (
                method,
                ["v1", "tasks", _]
                | ["v1", "tasks", _, "cancel" | "allowance" | "connectors"]
                | ["v1", "tasks", _, "messages", _]
                | ["v1", "requests", _, "answer"]
                | ["v1", "knowledge" | "status"]
                | ["metrics"],
            ) => Err(Refusal::Method(method)),
            _ => Err(Refusal::NotFound(path)),
        }
    }

    async fn put_task(&self, uid: TaskUid, body: Incoming) -> Result<Answer, Refusal> {
        let request: TaskRequest = json(body, BODY, "a task").await?;
        check(&request)?;
        self.queue.submit(uid, request)?;
        Ok(accepted())
    }

    async fn put_message(&self, task: &TaskUid, uid: TaskUid, body: Incoming) -> Result<Answer, Refusal> {
        let message: Message = json(body, BODY, "a message").await?;
        filled("text", &message.text)?;
        self.queue.send(task, uid, message)?;
        Ok(accepted())
    }

    async fn put_answer(&self, id: &str, body: Incoming) -> Result<Answer, Refusal> {
        let id: Uuid = id.parse().map_err(|_| Refusal::Request(id.chars().take(64).collect()))?;
        let answer: OfficeAnswer = json(body, BODY, "an answer").await?;
        self.requests.answer(id, answer)?;
        Ok(accepted())
    }

    async fn put_knowledge(&self, body: Incoming) -> Result<Answer, Refusal> {
        self.known.learn(json(body, KNOWLEDGE, "knowledge").await?)?;
        Ok(accepted())
    }

    async fn put_allowance(&self, uid: &TaskUid, body: Incoming) -> Result<Answer, Refusal> {
        let allowance: Allowance = json(body, BODY, "an allowance").await?;
        self.allowances.set(uid, allowance)?;
        Ok(accepted())
    }

    async fn put_connectors(&self, uid: TaskUid, body: Incoming) -> Result<Answer, Refusal> {
        let sealed: Sealed = json(body, BODY, "sealed connectors").await?;
        self.connectors.learn(uid, &sealed)?;
        Ok(accepted())
    }

    fn cancel_task(&self, uid: &TaskUid) -> Result<Answer, Refusal> {
        self.queue.cancel(uid)?;
        Ok(accepted())
    }

    fn status(&self) -> AgentStatus {
        let overview = self.queue.overview();
        AgentStatus {
            running: overview.running.map(|uid| uid.to_string()),
            queued: overview.waiting.iter().map(ToString::to_string).collect(),
            unpublished: self.journal.unpublished(),
        }
    }

    fn metrics(&self) -> String {
        let status = self.status();
        let gauge =
            |name: &str, help: &str, value: u64| format!("# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n");
        [
            gauge("komputer_agent_tasks_running", "Tasks being worked on.", u64::from(status.running.is_some())),
            gauge("komputer_agent_tasks_waiting", "Accepted tasks that wait.", status.queued.len() as u64),
            gauge("komputer_agent_events_unpublished", "Events that Redis has not acknowledged.", status.unpublished),
        ]
        .concat()
    }
}

async fn json<T: DeserializeOwned>(body: Incoming, limit: usize, what: &'static str) -> Result<T, Refusal> {
    serde_json::from_slice(&http::read(body, limit).await?).map_err(|error| Refusal::Json { what, error })
}

/// What the type of a request does not say.
fn check(request: &TaskRequest) -> Result<(), Refusal> {
    if !request.compact {
        filled("instructions", &request.instructions)?;
    }
    filled("model", &request.model)?;
    if request.max_turns == Some(0) {
        return Err(Refusal::Field { field: "maxTurns", problem: "is 0: a task needs at least one call to the model" });
    }
    Ok(())
}

fn filled(field: &'static str, value: &str) -> Result<(), Refusal> {
    if value.trim().is_empty() { Err(Refusal::Field { field, problem: "is empty" }) } else { Ok(()) }
}

fn accepted() -> Answer {
    json_answer(StatusCode::ACCEPTED, &json!({}))
}

fn json_answer(status: StatusCode, value: &impl Serialize) -> Answer {
    let mut answer = Answer::new(http::full(serde_json::to_vec(value).unwrap_or_default()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    answer
}

fn text_answer(text: String) -> Answer {
    Answer::new(http::full(text))
}
