use std::collections::BTreeMap;

use indexmap::IndexMap;
use k8s_openapi::{
    api::core::v1::{
        Capabilities, Container, ContainerPort, EmptyDirVolumeSource, EnvFromSource, EnvVar, EnvVarSource,
        HTTPGetAction, PersistentVolumeClaimVolumeSource, Pod, PodSecurityContext, PodSpec, Probe,
        ResourceRequirements, SeccompProfile, SecretEnvSource, SecretKeySelector, SecurityContext, Volume, VolumeMount,
    },
    apimachinery::pkg::{api::resource::Quantity, util::intstr::IntOrString},
};
use komputer_crds::v1beta1::{KomputerAgent, Role, Template};
use komputer_events::task::PORT;
use kube::ResourceExt;

use super::{MANIFEST_HASH, SERVICE_ACCOUNT, TEMPLATE, child_of, overlay::overlay, secret};
use crate::{
    agent::{
        status::template_name,
        template::{ModelKey, Resolved},
    },
    keys::MasterKey,
    settings::Settings,
};

/// The user and group of an agent's process, as in its image.
const USER: i64 = 10_001;

/// The container of the agent's process in a pod of its own.
pub(in crate::agent) const CONTAINER: &str = "agent";

/// The agent's pod, with the hash of all that would change it.
pub(in crate::agent) fn pod(
    agent: &KomputerAgent,
    resolved: &Resolved,
    settings: &Settings,
    master: &MasterKey,
) -> Pod {
    let (labels, spec) = own(agent, resolved, settings);
    let mut metadata = child_of(agent, agent.name_any(), labels);
    let name = template_name(agent);
    let manifest = serde_json::to_string(&(&metadata.labels, name, &spec)).unwrap_or_default();
    let secret = secret(agent, &resolved.key, master);
    let secrets = secret.string_data.iter().flatten().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let hash = master.fingerprint(std::iter::once(manifest.as_str()).chain(secrets));
    metadata.annotations = Some([(MANIFEST_HASH.into(), hash), (TEMPLATE.into(), name.into())].into());
    Pod { metadata, spec: Some(spec), ..Default::default() }
}

/// The labels that people give the agent's pod, and what is in it.
pub(super) fn own(
    agent: &KomputerAgent,
    resolved: &Resolved,
    settings: &Settings,
) -> (BTreeMap<String, String>, PodSpec) {
    let template = &resolved.template;
    let overlays =
        [&template.pod_template, &agent.spec.pod_template].map(|overlay| overlay.clone().unwrap_or_default());
    let labels = overlays.iter().flat_map(|overlay| overlay.labels.clone()).collect();
    let mut spec = spec(agent, template, &resolved.key, settings);
    for changes in overlays.iter().filter_map(|overlay| overlay.spec.as_ref()) {
        spec = overlay(&spec, changes);
    }
    (labels, spec)
}

/// The agent's own container.
pub(in crate::agent) fn container_of(
    agent: &KomputerAgent,
    resolved: &Resolved,
    settings: &Settings,
) -> Option<Container> {
    let (_, spec) = own(agent, resolved, settings);
    spec.containers.into_iter().find(|container| container.name == CONTAINER)
}

fn spec(agent: &KomputerAgent, template: &Template, key: &ModelKey, settings: &Settings) -> PodSpec {
    let claim = PersistentVolumeClaimVolumeSource { claim_name: agent.name_any(), ..Default::default() };
    PodSpec {
        service_account_name: Some(SERVICE_ACCOUNT.into()),
        automount_service_account_token: Some(false),
        enable_service_links: Some(false),
        restart_policy: Some("Always".into()),
        termination_grace_period_seconds: Some(30),
        security_context: Some(PodSecurityContext {
            run_as_non_root: Some(true),
            run_as_user: Some(USER),
            run_as_group: Some(USER),
            fs_group: Some(USER),
            fs_group_change_policy: Some("OnRootMismatch".into()),
            seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".into(), ..Default::default() }),
            ..Default::default()
        }),
        containers: vec![container(agent, template, key, settings)],
        volumes: Some(vec![
            Volume { name: "workspace".into(), persistent_volume_claim: Some(claim), ..Default::default() },
            Volume { name: "tmp".into(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Default::default() },
        ]),
        ..Default::default()
    }
}

fn container(agent: &KomputerAgent, template: &Template, key: &ModelKey, settings: &Settings) -> Container {
    let policy = template.image_pull_policy.map_or_else(|| "IfNotPresent".into(), |policy| format!("{policy:?}"));
    Container {
        name: CONTAINER.into(),
        image: Some(template.image.clone().unwrap_or_else(|| settings.agent_image.clone())),
        image_pull_policy: Some(policy),
        env: Some(environment(agent, template, key, settings)),
        env_from: Some(agent.spec.secret_refs.iter().map(|reference| user_secret(&reference.name)).collect()),
        ports: Some(vec![ContainerPort {
            name: Some("http".into()),
            container_port: i32::from(PORT),
            ..Default::default()
        }]),
        readiness_probe: Some(Probe { period_seconds: Some(1), failure_threshold: Some(3), ..probe("/readyz") }),
        liveness_probe: Some(Probe { period_seconds: Some(20), failure_threshold: Some(3), ..probe("/healthz") }),
        resources: Some(resources(template)),
        security_context: Some(restricted()),
        volume_mounts: Some([("workspace", "/workspace"), ("tmp", "/tmp")].map(mount).into()),
        ..Default::default()
    }
}

fn environment(agent: &KomputerAgent, template: &Template, key: &ModelKey, settings: &Settings) -> Vec<EnvVar> {
    let own = secret::name(agent);
    let mut variables = vec![
        plain("KOMPUTER_AGENT_NAME", agent.name_any()),
        plain("KOMPUTER_AGENT_NAMESPACE", agent.namespace().unwrap_or_default()),
        plain("KOMPUTER_AGENT_UID", agent.metadata.uid.clone().unwrap_or_default()),
        plain("KOMPUTER_REDIS_ADDRESS", settings.agent_redis_address.clone()),
        plain("KOMPUTER_REDIS_USERNAME", crate::access::username(agent)),
        from_secret("KOMPUTER_REDIS_PASSWORD", &own, secret::REDIS_PASSWORD),
        from_secret("KOMPUTER_AGENT_TOKEN", &own, secret::TOKEN),
        from_secret("KOMPUTER_SEALING_KEY", &own, secret::SEALING_KEY),
    ];
    if agent.spec.role == Some(Role::Manager) {
        variables.push(plain("KOMPUTER_MANAGER", "true".into()));
    }
    if let Some(url) = template.model.as_ref().and_then(|model| model.base_url.clone()) {
        variables.push(plain("ANTHROPIC_BASE_URL", url));
    }
    match key {
        ModelKey::None | ModelKey::Missing(_) | ModelKey::NotGranted(_) => {}
        ModelKey::InNamespace(reference) => {
            variables.push(from_secret("ANTHROPIC_API_KEY", &reference.name, &reference.key));
        }
        ModelKey::Copied(_) => variables.push(from_secret("ANTHROPIC_API_KEY", &own, secret::API_KEY)),
    }
    variables
}

pub(super) fn plain(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.into(), value: Some(value), ..Default::default() }
}

fn from_secret(variable: &str, secret: &str, key: &str) -> EnvVar {
    let selector = SecretKeySelector { name: secret.into(), key: key.into(), ..Default::default() };
    let source = EnvVarSource { secret_key_ref: Some(selector), ..Default::default() };
    EnvVar { name: variable.into(), value_from: Some(source), ..Default::default() }
}

/// Upstream's names: `SECRET_<NAME>_<KEY>`; the agent's process upper-cases the key.
fn user_secret(name: &str) -> EnvFromSource {
    let shouted: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    EnvFromSource {
        prefix: Some(format!("SECRET_{shouted}_")),
        secret_ref: Some(SecretEnvSource { name: name.into(), ..Default::default() }),
        ..Default::default()
    }
}

fn resources(template: &Template) -> ResourceRequirements {
    let quantity = |name: &str, value: &str| (name.to_owned(), Quantity(value.into()));
    let given = template.resources.clone().unwrap_or_default();
    let or = |given: IndexMap<String, Quantity>, default: BTreeMap<String, Quantity>| {
        Some(if given.is_empty() { default } else { given.into_iter().collect() })
    };
    ResourceRequirements {
        requests: or(given.requests, [quantity("cpu", "50m"), quantity("memory", "384Mi")].into()),
        limits: or(given.limits, [quantity("memory", "1Gi")].into()),
        ..Default::default()
    }
}

fn probe(path: &str) -> Probe {
    let action =
        HTTPGetAction { path: Some(path.into()), port: IntOrString::String("http".into()), ..Default::default() };
    Probe { http_get: Some(action), timeout_seconds: Some(2), ..Default::default() }
}

/// What Pod Security "restricted" asks of a container, and a root that nobody writes to.
pub(super) fn restricted() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        read_only_root_filesystem: Some(true),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".into()]), ..Default::default() }),
        ..Default::default()
    }
}

fn mount((name, path): (&str, &str)) -> VolumeMount {
    VolumeMount { name: name.into(), mount_path: path.into(), ..Default::default() }
}
