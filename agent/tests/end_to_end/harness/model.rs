use std::{future::pending, net::SocketAddr};

use komputer_events::Money;
use serde_json::Value;
use tokio::net::TcpListener;

/// A model that does as its prompt says, and keeps its own books.
pub struct Model {
    address: SocketAddr,
}

impl Model {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let config = scripted_model::Config { rejected_keys: vec!["wrong".into()], ledger: None };
        tokio::spawn(scripted_model::serve(listener, config, pending()));
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was paid, and for how many calls.
    pub async fn billed(&self) -> (Money, u64) {
        let ledger: Value = reqwest::get(format!("{}/ledger", self.url())).await.unwrap().json().await.unwrap();
        (ledger["cost_usd"].as_str().unwrap().parse().unwrap(), ledger["calls"].as_u64().unwrap())
    }
}
