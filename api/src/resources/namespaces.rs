use std::collections::BTreeSet;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use komputer_crds::v1beta1::KomputerAgent;
use serde::Serialize;
use warp::{Reply as _, http::HeaderMap, reply::Response};

use super::read::access;
use crate::{api::Api, auth::Caller, error::ApiError};

/// Namespaces asked about at once for one request.
const AT_ONCE: usize = 8;

#[derive(Serialize)]
struct Namespaces {
    namespaces: Vec<String>,
}

/// Answers `GET /namespaces`: those that hold agents which the caller may list.
///
/// # Errors
/// It is not known who the caller is, or the cluster does not say what the caller may.
pub async fn list(api: Api, headers: HeaderMap) -> Result<Response, ApiError> {
    let caller = api.auth.authenticate(&headers).await?;
    let all = with_agents(&api);
    let namespaces = if may_list(&api, &caller, None).await? {
        all.into_iter().collect()
    } else {
        let permitted = stream::iter(all).map(|namespace| {
            let (api, caller) = (&api, &caller);
            async move { Ok::<_, ApiError>(may_list(api, caller, Some(&namespace)).await?.then_some(namespace)) }
        });
        permitted.buffered(AT_ONCE).try_filter_map(|namespace| async { Ok(namespace) }).try_collect().await?
    };
    Ok(warp::reply::json(&Namespaces { namespaces }).into_response())
}

fn with_agents(api: &Api) -> BTreeSet<String> {
    let agents = api.caches.agents.select(|_| true);
    agents.iter().filter_map(|agent| agent.0.as_ref().ok()?.metadata.namespace.clone()).collect()
}

async fn may_list(api: &Api, caller: &Caller, namespace: Option<&str>) -> Result<bool, ApiError> {
    match api.auth.authorize(caller, &access::<KomputerAgent>("list", namespace, None)).await {
        Ok(()) => Ok(true),
        Err(ApiError::Forbidden(_)) => Ok(false),
        Err(error) => Err(error),
    }
}
