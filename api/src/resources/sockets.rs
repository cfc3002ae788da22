use hyper::upgrade::OnUpgrade;
use komputer_crds::v1beta1::KomputerAgent;
use komputer_events::{AgentId, Cursor};
use warp::{http::HeaderMap, reply::Response};

use super::{
    events::agent_id,
    read::{access, place},
};
use crate::{
    api::Api,
    error::ApiError,
    live::{Session, Start, Subscription, Upgrade},
    query::{Moment, Query},
};

/// Answers `GET /agents/{name}/ws`: everything is settled before the answer, so that an event that happens after it is
/// never missed.
///
/// # Errors
/// The caller may not, has too many sockets, or asks for none; a parameter cannot be used; or Redis does not answer.
pub async fn open(
    api: Api,
    headers: HeaderMap,
    query: Query,
    name: String,
    connection: Option<OnUpgrade>,
) -> Result<Response, ApiError> {
    let caller = api.auth.authenticate(&headers).await?;
    let (namespace, name) = place(&query, &name)?;
    let after = query.parsed("after")?.map(Moment::last_at);
    let access = access::<KomputerAgent>("get", Some(&namespace), Some(&name));
    api.auth.authorize(&caller, &access).await?;
    let upgrade = Upgrade::read(&headers, connection)?;
    let place = api.places.take(&caller.identity().username)?;
    let agent = agent_id(&namespace, &name)?;
    let start = match after {
        Some(cursor) => Start::Replay(cursor),
        None => Start::Live(newest(&api, &agent).await?),
    };
    let (auth, interval) = (api.auth.clone(), api.limits.reauthorize);
    let session = Session {
        subscription: Subscription::new(api.hub.clone(), api.streams.clone(), agent, start, api.limits.queue),
        revoked: Box::pin(async move { auth.revoked(&caller, &access, interval).await }),
        shutdown: api.shutdown.clone(),
        place,
        timing: api.limits.timing,
    };
    let (response, socket) = upgrade.accept();
    let open = api.metrics.sockets.clone();
    api.sessions.spawn(async move {
        open.inc();
        if let Some(socket) = socket.await {
            session.run(socket).await;
        }
        open.dec();
    });
    Ok(response)
}

/// The newest event there has been: Redis may have been wiped, and is then refilled with what the status knows already.
async fn newest(api: &Api, agent: &AgentId) -> Result<Cursor, ApiError> {
    let known = match api.caches.agents.get(agent.namespace(), agent.name()) {
        Ok(Some(agent)) => agent.0.as_ref().ok().and_then(|agent| agent.status.as_ref()?.cursor.as_ref()?.parse().ok()),
        _ => None,
    };
    let last = api.streams.last(agent).await?;
    Ok(last.max(known).unwrap_or(Cursor::START))
}
