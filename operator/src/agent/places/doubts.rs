//! Places of which only the apiserver knows whether they are taken.
use std::{collections::BTreeSet, time::Duration};

use backon::BackoffBuilder;
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use komputer_events::{AgentId, bus::retry_policy};
use kube::{
    Api, Client,
    api::ListParams,
    runtime::reflector::{ObjectRef, Store},
};
use tokio::sync::mpsc;

use super::{Places, line::Doubt, places_of};
use crate::{
    agent::{AgentPod, build::MANAGED_BY},
    carry_out::{TIMEOUT, owner},
    watch::PAGE,
};

/// Asked at the same time.
const CONCURRENCY: usize = 8;
/// How long a watch may take to show a pod that is there, before the apiserver is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Places that were given up, and may have a pod.
pub struct Doubts(pub(super) mpsc::UnboundedReceiver<Doubt>);

impl Doubts {
    /// Settles them for as long as the process lives. Nothing is asked while there are none.
    pub async fn settle(self, client: Client, places: &Places) {
        let doubts = futures::stream::unfold(self.0, async |mut doubts| Some((doubts.recv().await?, doubts)));
        doubts.for_each_concurrent(CONCURRENCY, |doubt| settle(&client, places, doubt)).await;
    }
}

/// Asks until the apiserver has no such pod, or it was seen or made anew. A pod that was made before is found.
async fn settle(client: &Client, places: &Places, doubt: Doubt) {
    while places.line().is_doubted(&doubt) {
        let pods = places.pods_of(&doubt.id);
        let is_in = |pod: &AgentPod| places_of(pod).iter().any(|(id, _)| *id == doubt.id);
        // A pod that is on its way is none yet, by the apiserver's word.
        let is_made = || places.is_being_made(&doubt.id);
        if !is_made() && is_none(client, &doubt.id, &pods, is_in).await && !is_made() {
            places.forget_pods(&doubt.id, &pods);
            let mut line = places.line();
            line.pod_missing(&doubt);
            places.tell(line);
        } else {
            tokio::time::sleep(PATIENCE).await;
        }
    }
}

/// Whether none of these pods is one that the agent is in, by the apiserver's own word.
async fn is_none(client: &Client, agent: &AgentId, pods: &BTreeSet<String>, is_in: impl Fn(&AgentPod) -> bool) -> bool {
    let api = Api::<Pod>::namespaced(client.clone(), agent.namespace());
    for name in pods {
        match tokio::time::timeout(TIMEOUT, api.get_metadata_opt(name)).await {
            Ok(Ok(None)) => {}
            Ok(Ok(Some(pod))) => {
                if is_in(&pod.metadata.into()) {
                    return false;
                }
            }
            Ok(Err(_)) | Err(_) => return false,
        }
    }
    true
}

impl Places {
    /// Whether an agent that is gone is in no pod: where the cache shows none, by the apiserver's own word. Its name may be
    /// another's by now.
    pub(crate) async fn has_left(&self, agent: &AgentId, uid: &str, cache: &Store<AgentPod>, client: &Client) -> bool {
        let pods = self.pods_of(agent);
        let is_in = |pod: &AgentPod| {
            pod.seats.get(agent.name()).is_some_and(|seat| seat.uid == uid)
                || owner(&pod.metadata).is_some_and(|owner| owner.uid == uid)
        };
        let cached = |pod: &String| cache.get(&ObjectRef::new(pod).within(agent.namespace()));
        let is_seen = pods.iter().filter_map(cached).any(|pod| is_in(&pod));
        let is_made = || self.is_being_made(agent) || self.making_own.contains(agent.namespace(), agent.name());
        !is_made() && !is_seen && is_none(client, agent, &pods, is_in).await && !is_made()
    }

    /// Takes into account what pods there are now: a cache may not show yet what another replica made while it led.
    pub async fn take_stock(&self, client: &Client) {
        let mut delays = retry_policy().build();
        self.line().lead();
        loop {
            match self.list(client).await {
                Ok(taken) => {
                    let mut line = self.line();
                    taken.iter().for_each(|(id, template)| line.pod_listed(id, template));
                    return self.tell(line);
                }
                Err(error) => {
                    tracing::warn!(error = &error as &dyn std::error::Error, "could not list the agents' pods");
                    tokio::time::sleep(delays.next().unwrap_or_default()).await;
                }
            }
        }
    }

    /// Which places are taken, and of which template. Of pods no more is kept: thousands would be most of the memory.
    async fn list(&self, client: &Client) -> kube::Result<Vec<(AgentId, String)>> {
        let api = Api::<Pod>::all(client.clone());
        let (label, value) = MANAGED_BY;
        let mut params = ListParams::default().labels(&format!("{label}={value}")).limit(PAGE);
        let mut taken = Vec::new();
        loop {
            let page = api.list_metadata(&params).await?;
            for pod in page.items {
                let pod = pod.metadata.into();
                self.note_shared(&pod);
                taken.extend(places_of(&pod));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(taken),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::{Request, Response, StatusCode};
    use kube::{client::Body, runtime::reflector};

    use super::*;

    #[tokio::test]
    async fn nobody_has_left_whose_pod_may_be_on_its_way() {
        let nothing = |_: Request<Body>| async {
            let status = r#"{"status":"Failure","reason":"NotFound","message":"none","code":404}"#;
            let mut response = Response::new(http_body_util::Full::from(status.as_bytes()));
            *response.status_mut() = StatusCode::NOT_FOUND;
            Ok::<_, Infallible>(response)
        };
        let client = Client::new(tower::service_fn(nothing), "default");
        let (places, _doubts) = Places::new(None, crate::queue::Queue::default());
        let (cache, _writer) = reflector::store::<AgentPod>();
        let (ada, bob) = (AgentId::new("team", "ada").unwrap(), AgentId::new("team", "bob").unwrap());
        let has_left = async |agent| places.has_left(agent, "u1", &cache, &client).await;
        let own = places.makes_own(&ada);
        assert!(!has_left(&ada).await && has_left(&bob).await);
        drop(own);
        assert!(has_left(&ada).await);
        places.may_be_in(&ada, "crew-squad".into());
        let _shared = places.makes("team", "crew-squad");
        assert!(!has_left(&ada).await && has_left(&bob).await);
    }
}
