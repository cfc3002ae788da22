//! Speaks to agents' HTTP servers.
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use komputer_events::task::PORT;
use reqwest::{Client, StatusCode};

use crate::plan::{Call, PodAddress};

/// An agent that could not be told something. It is told again.
#[derive(Debug, thiserror::Error)]
pub enum AgentCallError {
    /// No connection, or no answer.
    #[error("the agent at {ip} could not be reached: {source}")]
    Unreachable {
        /// The pod's address.
        ip: String,
        /// Why.
        #[source]
        source: reqwest::Error,
    },
    /// An answer other than the one expected.
    #[error("the agent at {ip} answered {status} to {what}: {body}")]
    Refused {
        /// The pod's address.
        ip: String,
        /// What it was asked.
        what: &'static str,
        /// The HTTP status.
        status: StatusCode,
        /// The beginning of its answer.
        body: String,
    },
}

/// Speaks to agents. Cheap to clone.
#[derive(Clone)]
pub struct AgentClient {
    http: Client,
    /// (pod uid, what was said): a pod that has heard something is not told again.
    heard: Arc<Mutex<HashSet<(String, String)>>>,
}

/// More than any installation has agents; past it everybody may be told once more.
const HEARD: usize = 100_000;

impl AgentClient {
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new() -> Result<Self, reqwest::Error> {
        let http = Client::builder()
            .connect_timeout(Duration::from_secs(2))
            .timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .tls_certs_only([]) // agents speak plain HTTP, and the operator's image holds no certificates
            .build()?;
        Ok(Self { http, heard: Arc::default() })
    }

    /// Says `call`, unless this pod has heard it.
    ///
    /// # Errors
    /// The agent did not take it; saying it again is safe.
    pub async fn call(&self, call: &Call) -> Result<(), AgentCallError> {
        let (pod, uid, what) = match call {
            Call::PutTask { pod, uid, .. } => (pod, uid, "the task"),
            Call::CancelTask { pod, uid } => (pod, uid, "the cancellation"),
        };
        let is_cancellation = matches!(call, Call::CancelTask { .. });
        let said = (pod.uid.clone(), format!("{what} {uid}"));
        if self.heard.lock().unwrap_or_else(PoisonError::into_inner).contains(&said) {
            return Ok(());
        }
        let url = format!("http://{}:{PORT}/v1/tasks/{uid}", pod.ip);
        let request = match call {
            Call::PutTask { request, .. } => self.http.put(url).json(request),
            Call::CancelTask { .. } => self.http.post(format!("{url}/cancel")),
        };
        match self.send(pod, what, request).await {
            // What the agent does not know, it does not do.
            Err(AgentCallError::Refused { status: StatusCode::NOT_FOUND, .. }) if is_cancellation => {}
            result => result?,
        }
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.len() >= HEARD {
            heard.clear();
        }
        heard.insert(said);
        Ok(())
    }

    async fn send(
        &self,
        pod: &PodAddress,
        what: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<(), AgentCallError> {
        let unreachable = |source| AgentCallError::Unreachable { ip: pod.ip.clone(), source };
        let answer = request.bearer_auth(pod.token.reveal()).send().await.map_err(unreachable)?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let body = answer.text().await.unwrap_or_default().chars().take(200).collect();
        Err(AgentCallError::Refused { ip: pod.ip.clone(), what, status, body })
    }
}
