//! Pods that may be being made. Who did not ask for one knows nothing of the request that is on its way.
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// By namespace and name, how often.
#[derive(Debug, Default)]
pub(super) struct Pods(Mutex<HashMap<(String, String), usize>>);

/// A pod that may be being made, for as long as this is kept.
#[derive(Debug)]
pub struct Making {
    pods: Arc<Pods>,
    pod: (String, String),
}

impl Pods {
    pub(super) fn begin(self: &Arc<Self>, namespace: &str, pod: &str) -> Making {
        let pod = (namespace.to_owned(), pod.to_owned());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(pod.clone()).or_default() += 1;
        Making { pods: self.clone(), pod }
    }

    pub(super) fn contains(&self, namespace: &str, pod: &str) -> bool {
        let pods = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        pods.contains_key(&(namespace.to_owned(), pod.to_owned()))
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        let mut pods = self.pods.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = pods.get_mut(&self.pod) {
            *count -= 1;
            if *count == 0 {
                pods.remove(&self.pod);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_is_being_made_until_nobody_makes_it() {
        let pods = Arc::<Pods>::default();
        let (one, other) = (pods.begin("team", "crew-squad"), pods.begin("team", "crew-squad"));
        drop(one);
        assert!(pods.contains("team", "crew-squad") && !pods.contains("other", "crew-squad"));
        drop(other);
        assert!(!pods.contains("team", "crew-squad"));
    }
}
