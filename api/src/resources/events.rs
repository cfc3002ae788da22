use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::{AgentId, Cursor, bus};
use serde::Serialize;
use serde_json::value::RawValue;
use warp::{Reply as _, http::HeaderMap, reply::Response};

use super::read::{access, place};
use crate::{
    api::Api,
    error::ApiError,
    query::{Moment, Query},
};

const DEFAULT: usize = 50;
const MOST: usize = 200;

#[derive(Debug, Serialize)]
struct View {
    agent: String,
    /// Oldest first, as they lie in the stream.
    events: Vec<Box<RawValue>>,
    /// What to pass as `after` to get what follows, here or on a socket.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Cursor>,
}

/// Which events are wanted: those after a moment, else the newest before one, else the newest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    after: Option<Cursor>,
    before: Option<Cursor>,
    limit: usize,
}

impl Window {
    fn parse(query: &Query) -> Result<Self, ApiError> {
        Ok(Self {
            after: query.parsed("after")?.map(Moment::last_at),
            before: query.parsed("before")?.map(Moment::first_at),
            limit: query.number("limit", 1..=MOST)?.unwrap_or(DEFAULT),
        })
    }
}

/// Answers `GET /agents/{name}/events`.
///
/// # Errors
/// The caller may not, a parameter cannot be used, there is no such agent, or Redis does not answer.
pub async fn list(api: Api, headers: HeaderMap, query: Query, name: String) -> Result<Response, ApiError> {
    let caller = api.auth.authenticate(&headers).await?;
    let (namespace, name) = place(&query, &name)?;
    let window = Window::parse(&query)?;
    api.auth.authorize(&caller, &access::<KomputerAgent>("get", Some(&namespace), Some(&name))).await?;
    let agent = agent_id(&namespace, &name)?;
    let page = read(&api.streams, &agent, window).await?;
    if page.end.is_none() && !exists(&api, &agent) && api.streams.last(&agent).await?.is_none() {
        let problem =
            format!("agent {name:?} not found in namespace {namespace:?}; set ?namespace= where it lives elsewhere");
        return Err(ApiError::NotFound(problem));
    }
    let next = page.entries.last().map(|last| last.id).or(window.after);
    let events = page.entries.into_iter().filter_map(|entry| RawValue::from_string(entry.json).ok()).collect();
    Ok(warp::reply::json(&View { agent: name, events, next }).into_response())
}

async fn read(streams: &bus::Streams, agent: &AgentId, window: Window) -> Result<bus::Page, bus::BusError> {
    let Some(after) = window.after else { return streams.before(agent, window.before, window.limit).await };
    let mut page = streams.after(agent, None, after, window.limit).await?;
    page.entries.retain(|entry| window.before.is_none_or(|before| entry.id < before));
    Ok(page)
}

/// # Errors
/// The names are too long for one.
pub(super) fn agent_id(namespace: &str, name: &str) -> Result<AgentId, ApiError> {
    let problem =
        |error: komputer_events::InvalidAgentId| ApiError::Parameter { parameter: "name", problem: error.to_string() };
    AgentId::new(namespace, name).map_err(problem)
}

fn exists(api: &Api, agent: &AgentId) -> bool {
    !matches!(api.caches.agents.get(agent.namespace(), agent.name()), Ok(None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_is_read_from_the_query() {
        let query = |pairs: &[(&str, &str)]| {
            Query::from(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>())
        };
        let window =
            Window::parse(&query(&[("after", "7-1"), ("before", "1970-01-01T00:00:09Z"), ("limit", "200")])).unwrap();
        let cursor = |text: &str| Some(text.parse().unwrap());
        assert_eq!(window, Window { after: cursor("7-1"), before: cursor("9000-0"), limit: 200 });
        assert_eq!(Window::parse(&query(&[])).unwrap(), Window { after: None, before: None, limit: 50 });
        let error = Window::parse(&query(&[("before", "soon")])).unwrap_err().to_string();
        assert!(error.starts_with("parameter \"before\": \"soon\" is neither"), "{error}");
    }
}
