//! Refreshes what is about to end, and keeps what it gets.
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use k8s_openapi::{ByteString, api::core::v1::Secret};
use komputer_telemetry::Registry;
use kube::{
    Api, Client,
    api::{Patch, PatchParams},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
};
use serde_json::json;
use tokio_util::task::TaskTracker;

use super::{
    document::Document,
    endpoint::{self, Failure, Registration},
};
use crate::{
    carry_out::{MANAGER, TIMEOUT, words},
    clock,
    keys::Sensitive,
    lease::Leadership,
    vault::{SecretKey, can_be_a_header, read, text_of},
};

/// What opens a server now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Current {
    /// The token.
    pub token: Sensitive,
    /// When another one is to be asked for, where that is known.
    pub until: Option<Timestamp>,
}

/// The shortest that a token is used before another is asked for, and how long it is waited after one could not be had while
/// the last still counts.
const SHORTEST: Duration = Duration::from_secs(30);
/// How long a refusal is believed, unless the Secret changes before.
const REFUSED: Duration = Duration::from_mins(5);
/// How long the process waits at its end for what it was given to be written.
const LAST_WRITES: Duration = Duration::from_secs(20);

/// Has tokens refreshed, each by one at a time. Cheap to clone.
#[derive(Clone)]
pub struct Renewals {
    client: Client,
    http: reqwest::Client,
    leading: Leadership,
    refreshes: Family<Refresh, Counter>,
    turns: Arc<Mutex<HashMap<SecretKey, Arc<tokio::sync::Mutex<Turn>>>>>,
    /// What must not be dropped with who waits for it: the endpoint may take the old token only once.
    running: TaskTracker,
}

/// How an endpoint has answered: `ok`, `away` or `refused`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refresh {
    result: &'static str,
}

/// Held by who looks at a login, and what is remembered of it.
#[derive(Default)]
struct Turn {
    refusal: Option<Refusal>,
    given: Option<Given>,
}

/// What the endpoint does not exchange, since when, and why.
struct Refusal {
    document: Document,
    at: Timestamp,
    words: String,
}

/// What was given, and could not be written yet in place of what stands in the Secret.
struct Given {
    instead_of: Document,
    document: Document,
}

impl Renewals {
    /// # Errors
    /// The TLS library cannot be set up.
    pub fn new(client: Client, leading: Leadership, registry: &Registry) -> Result<Self, reqwest::Error> {
        let (turns, running) = Default::default();
        let help = "Requests to token endpoints, by their answers";
        let refreshes = registry.register("token_refreshes", help, Family::default());
        Ok(Self { client, http: endpoint::client()?, leading, refreshes, turns, running })
    }

    /// What opens the server, refreshed at `url` where that is due.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub async fn current(&self, key: &SecretKey, url: Option<&str>) -> Result<Current, String> {
        let (renewals, key, url) = (self.clone(), key.clone(), url.map(str::to_owned));
        let current = self.running.spawn(async move {
            let turn = renewals.turn(&key);
            renewals.look(&key, url.as_deref(), &mut *turn.lock().await).await
        });
        current.await.unwrap_or_else(|_| Err("the operator ends".into()))
    }

    /// Waits until all that was given is written: 20 s at most.
    pub async fn finish(&self) {
        self.running.close();
        if tokio::time::timeout(LAST_WRITES, self.running.wait()).await.is_err() {
            tracing::warn!("a token that was being refreshed may be lost");
        }
    }

    fn turn(&self, key: &SecretKey) -> Arc<tokio::sync::Mutex<Turn>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_default().clone()
    }

    async fn look(&self, key: &SecretKey, url: Option<&str>, turn: &mut Turn) -> Result<Current, String> {
        let (secret, now) = (read(&self.client, key).await?, clock::now());
        let text = text_of(key, secret.as_ref())?;
        let Some(stored) = Document::parse(&text) else { return opens(key, &text, None) };
        let secret = secret.unwrap_or_default();
        // Where somebody has logged in anew, what was given before counts no more.
        let given = turn.given.take().filter(|given| given.instead_of == stored);
        let mut document = given.map_or_else(|| stored.clone(), |given| given.document);
        let mut failure = None;
        if let Some(url) = url.filter(|_| document.refresh_token().is_some() && document.is_due(now)) {
            match self.exchange(&secret, &document, url, turn, now).await {
                Ok(renewed) => {
                    tracing::info!("a token was refreshed: {key}");
                    document = renewed;
                }
                Err(words) => {
                    let words = format!("{key} cannot be refreshed at {url}: {words}");
                    tracing::warn!(error = words, "a token is not refreshed");
                    failure = Some(words);
                }
            }
        }
        if document != stored
            && let Err(words) = self.write(key, &secret, &document).await
        {
            tracing::warn!(error = words, "a new token cannot be written to {key}; it is tried again");
            turn.given = Some(Given { instead_of: stored, document: document.clone() });
        }
        match failure {
            Some(words) if document.expires_at().is_none_or(|end| end <= now + SHORTEST) => {
                Err(format!("{words}; log in anew, or correct spec.auth of the connector"))
            }
            _ => {
                let due = if turn.given.is_some() { Some(now) } else { document.due() };
                let until = due.map(|due| due.max(now + SHORTEST));
                opens(key, document.access_token().unwrap_or_default(), until)
            }
        }
    }

    /// What the endpoint gives for a document, or why not. What it has refused it is not asked at once again.
    async fn exchange(
        &self,
        secret: &Secret,
        document: &Document,
        url: &str,
        turn: &mut Turn,
        now: Timestamp,
    ) -> Result<Document, String> {
        let refusal = turn.refusal.take_if(|refusal| refusal.document != *document || refusal.at + REFUSED <= now);
        drop(refusal); // it counts no more
        if let Some(refusal) = &turn.refusal {
            return Err(refusal.words.clone());
        }
        if !self.leading.holds() {
            return Err("another operator leads now".into());
        }
        if secret.immutable == Some(true) {
            return Err("the Secret is immutable, and a new token could not be kept".into());
        }
        let of = |name: &str| {
            let bytes = secret.data.as_ref()?.get(name)?;
            Some(Sensitive::new(std::str::from_utf8(&bytes.0).ok()?.trim()))
        };
        let registration = Registration { id: of("client_id"), secret: of("client_secret") };
        let token = document.refresh_token().unwrap_or_default();
        let answer = endpoint::refresh(&self.http, url, token, &registration).await;
        let result = match &answer {
            Ok(_) => "ok",
            Err(Failure::Away(_)) => "away",
            Err(Failure::Refused(_)) => "refused",
        };
        self.refreshes.get_or_create(&Refresh { result }).inc();
        match answer {
            Ok(answer) => Ok(document.renewed(answer, clock::now())),
            Err(Failure::Away(words)) => Err(words),
            Err(Failure::Refused(words)) => {
                turn.refusal = Some(Refusal { document: document.clone(), at: now, words: words.clone() });
                Err(words)
            }
        }
    }

    /// In place of the very version that was read.
    async fn write(&self, key: &SecretKey, secret: &Secret, document: &Document) -> Result<(), String> {
        let metadata = &secret.metadata;
        let data: BTreeMap<_, _> = [(&key.key, ByteString(document.to_text().into_bytes()))].into();
        let patch = Patch::Merge(json!({
            "metadata": { "uid": metadata.uid, "resourceVersion": metadata.resource_version }, "data": data,
        }));
        let api = Api::<Secret>::namespaced(self.client.clone(), &key.namespace);
        let params = PatchParams { field_manager: Some(MANAGER.into()), ..Default::default() };
        match tokio::time::timeout(TIMEOUT, api.patch_metadata(&key.name, &params, &patch)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(words(&error)),
            Err(_) => Err("no answer in time".into()),
        }
    }
}

fn opens(key: &SecretKey, token: &str, until: Option<Timestamp>) -> Result<Current, String> {
    if !can_be_a_header(token) {
        return Err(format!(
            "{key} holds neither a token nor JSON with an access_token, in one line of ASCII text; log in anew"
        ));
    }
    Ok(Current { token: Sensitive::new(token), until })
}

#[cfg(test)]
mod tests;
