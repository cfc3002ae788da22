//! Times as the Kubernetes API writes them.
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

/// To the second, in UTC.
pub fn text(time: &Time) -> String {
    Timestamp::from_second(time.0.as_second()).unwrap_or(time.0).to_string()
}

/// When an object was created.
pub fn created(metadata: &ObjectMeta) -> Option<String> {
    metadata.creation_timestamp.as_ref().map(text)
}
