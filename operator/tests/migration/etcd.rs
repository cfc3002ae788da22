//! What is in etcd, read past the apiserver.
use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use komputer_tests::cluster::LightCluster;
use serde_json::{Value, json};

/// An object as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub struct Stored {
    pub version: String,
    /// Of etcd, from its last write.
    pub revision: String,
}

/// Every object of komputer's group, by key.
pub async fn stored(cluster: &LightCluster) -> BTreeMap<String, Stored> {
    let encode = |key: &str| BASE64.encode(key);
    // '0' is what comes after '/'.
    let range = json!({
        "key": encode("/registry/komputer.komputer.ai/"), "range_end": encode("/registry/komputer.komputer.ai0"),
    });
    let url = format!("{}/v3/kv/range", cluster.etcd().unwrap());
    let answer = reqwest::Client::new().post(url).json(&range).send().await.unwrap().error_for_status().unwrap();
    let answer: Value = answer.json().await.unwrap();
    let decode = |value: &Value| BASE64.decode(value.as_str().unwrap()).unwrap();
    let pairs = answer["kvs"].as_array().into_iter().flatten();
    pairs
        .map(|pair| {
            let object: Value = serde_json::from_slice(&decode(&pair["value"])).unwrap();
            let version = object["apiVersion"].as_str().unwrap().to_owned();
            let revision = pair["mod_revision"].as_str().unwrap().to_owned();
            (String::from_utf8(decode(&pair["key"])).unwrap(), Stored { version, revision })
        })
        .collect()
}
