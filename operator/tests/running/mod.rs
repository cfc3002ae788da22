//! All that the operator is started in.
mod operator;

use komputer_tests::{cluster::LightCluster, redis::Redis};
use serde_json::json;

pub use self::operator::{Operator, SYSTEM, redis};

/// All that the operator needs in a cluster, and those namespaces.
pub fn prepare(cluster: &LightCluster, namespaces: &[&str]) -> Redis {
    let definitions = serde_json::to_value(komputer_crds::definitions().unwrap()).unwrap();
    let list = json!({ "apiVersion": "v1", "kind": "List", "items": definitions }).to_string();
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], &list).unwrap();
    cluster.kubectl(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "").unwrap();
    for namespace in namespaces.iter().chain([&SYSTEM]) {
        cluster.kubectl(&["create", "namespace", namespace], "").unwrap();
    }
    redis(cluster)
}
