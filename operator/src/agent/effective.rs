//! What an agent's spec, its template and the defaults come to, for people to read before a pod is made of it.
use komputer_crds::v1beta1::{Effective, Resources};

use super::{build, observed::Observed, rollout, status::template_name};

/// Nothing while there is no such template.
pub(super) fn effective(observed: &Observed) -> Option<Effective> {
    let (agent, resolved) = (&*observed.agent, observed.template.as_ref()?);
    let container = build::container_of(agent, resolved, &observed.settings)?;
    let resources = container.resources.unwrap_or_default();
    Some(Effective {
        template_kind: resolved.kind,
        template_name: template_name(agent).into(),
        image: container.image.unwrap_or_default(),
        resources: Resources {
            requests: resources.requests.into_iter().flatten().collect(),
            limits: resources.limits.into_iter().flatten().collect(),
        },
        storage: build::storage(agent, &resolved.template),
        rollout: rollout::chosen(agent, &resolved.template),
        max_unavailable: Some(resolved.template.max_unavailable.unwrap_or_default()),
        max_concurrent_agents: resolved.template.max_concurrent_agents.filter(|limit| *limit > 0),
    })
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
    use komputer_crds::v1beta1::{KomputerAgent, KomputerAgentSpec, MaxUnavailable, PodTemplate, Rollout, Template};
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_agent_says_goes_before_its_template_and_that_before_the_defaults() {
        let mut observed = Observed::of(KomputerAgent::new("ada", KomputerAgentSpec::default()));
        let default = effective(&observed).unwrap();
        assert_eq!(default.image, observed.settings.agent_image);
        assert_eq!(default.max_unavailable, Some(MaxUnavailable::default()));
        assert_eq!((default.storage.size, default.rollout), (Some(Quantity("5Gi".into())), Rollout::WhenIdle));
        let template: Template = serde_json::from_value(json!({
            "image": "of-template", "storage": { "size": "7Gi", "storageClassName": "fast" }, "rollout": "OnDelete",
            "maxConcurrentAgents": 3, "maxUnavailable": 2, "resources": { "limits": { "memory": "2Gi" } },
        }))
        .unwrap();
        observed.template.as_mut().unwrap().template = template;
        let of_template = effective(&observed).unwrap();
        assert_eq!(of_template.image, "of-template");
        assert_eq!(of_template.max_unavailable.map(|most| most.of(100)), Some(2));
        assert_eq!(of_template.resources.limits["memory"], Quantity("2Gi".into()));
        assert_eq!(of_template.storage.storage_class_name.as_deref(), Some("fast"));
        assert_eq!((of_template.rollout, of_template.max_concurrent_agents), (Rollout::OnDelete, Some(3)));
        let agent = std::sync::Arc::make_mut(&mut observed.agent);
        agent.spec.rollout = Some(Rollout::Immediately);
        let container = json!({ "containers": [{ "name": "agent", "image": "of-agent" }] });
        agent.spec.pod_template = Some(PodTemplate { spec: Some(container), ..PodTemplate::default() });
        let own = effective(&observed).unwrap();
        assert_eq!((own.image.as_str(), own.rollout), ("of-agent", Rollout::Immediately));
        observed.template = None;
        assert_eq!(effective(&observed), None);
    }
}
