//! What an agent has said, and what its model has billed.
use anyhow::{Context, ensure};
use komputer_events::{Event, Money};
use serde_json::Value;

use crate::node::Node;

impl Node {
    /// All events of an agent that Redis keeps, read page by page through the api.
    ///
    /// # Errors
    /// The api refuses, or an event is not one.
    pub async fn events(&self, token: &str, namespace: &str, agent: &str) -> anyhow::Result<Vec<Event>> {
        let api = self.service("komputer-api").await?;
        let (mut all, mut after) = (Vec::<Event>::new(), "0".to_owned());
        loop {
            let url =
                format!("http://{api}/api/v1/agents/{agent}/events?namespace={namespace}&limit=200&after={after}");
            let answer = self.http.get(url).bearer_auth(token).send().await?.error_for_status()?;
            let page: Value = answer.json().await?;
            let events = page["events"].as_array().context("the answer has no events")?;
            if events.is_empty() {
                return Ok(all);
            }
            for event in events {
                all.push(Event::from_json(event.to_string().as_bytes())?);
            }
            after = all.last().map(|event| event.id.to_string()).unwrap_or(after);
        }
    }

    /// What the scripted model has billed for scripts tagged `tag`, by its own price table.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn billed(&self, tag: &str) -> anyhow::Result<Money> {
        let model = self.service("komputer-scripted-model").await?;
        let answer = self.http.get(format!("http://{model}/ledger?script={tag}")).send().await?.error_for_status()?;
        let ledger: Value = answer.json().await?;
        Ok(ledger["cost_usd"].as_str().context("the ledger has no cost")?.parse()?)
    }
}

/// That nothing is lost, doubled or out of order, and that tasks end once.
///
/// # Errors
/// What is wrong.
pub fn check_whole(events: &[Event]) -> anyhow::Result<()> {
    for (index, event) in events.iter().enumerate() {
        ensure!(event.seq == index as u64 + 1, "event {index} has seq {}: {event:?}", event.seq);
    }
    for pair in events.windows(2) {
        ensure!(pair[0].id < pair[1].id, "{} does not come before {}", pair[0].id, pair[1].id);
    }
    let mut ended: Vec<_> = events.iter().filter(|event| event.body.is_terminal()).map(|event| &event.task).collect();
    let ends = ended.len();
    ended.dedup();
    ensure!(ended.len() == ends, "a task ended more than once");
    Ok(())
}
