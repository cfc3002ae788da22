//! One pod for the agents of a squad: a container an agent, and everybody's workspace in each.
use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, EmptyDirVolumeSource, Pod, PodSpec, ResourceRequirements, Volume, VolumeMount},
    apimachinery::pkg::{
        api::resource::Quantity,
        apis::meta::v1::{ObjectMeta, OwnerReference},
        util::intstr::IntOrString,
    },
};
use komputer_crds::v1beta1::{KomputerAgent, WorkspaceAccess};
use komputer_events::task::PORT;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::{
    MANIFEST_HASH,
    pod::{CONTAINER, own, plain, restricted},
    secret,
};
use crate::{
    agent::{
        seat::{SEATS as SEATS_ANNOTATION, Seat},
        status::template_name,
        template::Resolved,
    },
    keys::MasterKey,
    settings::Settings,
};

/// As many as a squad has members at most, see the schema.
pub(super) const SEATS: i32 = 16;

/// What agents keep for themselves in their workspaces: what they are told and say, and Claude's settings, by which
/// another could have commands run.
const PRIVATE: [&str; 2] = [".komputer", ".claude"];

/// The volume that is seen in place of what is private, and holds nothing.
const NOTHING: &str = "nothing";

/// An agent that is to sit in the pod.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SeatedAgent<'a> {
    /// The agent.
    pub(crate) agent: &'a KomputerAgent,
    /// What it is made from.
    pub(crate) resolved: &'a Resolved,
    /// What it may do in the others' workspaces.
    pub(crate) access: WorkspaceAccess,
}

/// The pod of `seated`, of which all fit together: see [`differs`]. With the hash of all that would change it.
pub(crate) fn shared_pod(
    mut metadata: ObjectMeta,
    seated: &[SeatedAgent<'_>],
    settings: &Settings,
    master: &MasterKey,
) -> Pod {
    let owns: Vec<_> = seated.iter().map(|seated| own(seated.agent, seated.resolved, settings)).collect();
    let mut spec = owns.first().map(|(_, spec)| around(spec)).unwrap_or_default();
    let mut seats = BTreeMap::new();
    let mut labels = BTreeMap::new();
    for (port, (seated_agent, (own_labels, own_spec))) in (PORT..).zip(seated.iter().zip(&owns)) {
        labels.extend(own_labels.clone());
        let template = template_name(seated_agent.agent).to_owned();
        let name = seated_agent.agent.name_any();
        let uid = seated_agent.agent.uid().unwrap_or_default();
        seats.insert(name.clone(), Seat { uid, container: container_name(&name, port), port, template });
        take_in(&mut spec, own_spec, seated_agent, port, seated);
    }
    spec.init_containers.get_or_insert_default().insert(0, prepares(settings.agent_image.clone(), seated));
    let nothing = EmptyDirVolumeSource { size_limit: Some(Quantity("1Mi".into())), ..Default::default() };
    let nothing = Volume { name: NOTHING.into(), empty_dir: Some(nothing), ..Default::default() };
    spec.volumes.get_or_insert_default().push(nothing);
    labels.extend(metadata.labels.take().unwrap_or_default());
    metadata.labels = Some(labels);
    let seats = json!(seats).to_string();
    let manifest = serde_json::to_string(&(&metadata.labels, &seats, &spec)).unwrap_or_default();
    let secrets = seated.iter().map(|seated| secret(seated.agent, &seated.resolved.key, master));
    let secrets: Vec<_> = secrets.flat_map(|secret| secret.string_data.unwrap_or_default()).collect();
    let parts = secrets.iter().flat_map(|(key, value)| [key.as_str(), value.as_str()]);
    let hash = master.fingerprint(std::iter::once(manifest.as_str()).chain(parts));
    metadata.annotations = Some([(MANIFEST_HASH.into(), hash), (SEATS_ANNOTATION.into(), seats)].into());
    Pod { metadata, spec: Some(spec), ..Default::default() }
}

/// The field of the pod in which two agents differ that a pod has once, like its node selector.
pub(crate) fn differs(one: &SeatedAgent<'_>, other: &SeatedAgent<'_>, settings: &Settings) -> Option<String> {
    let fields = |seated: &SeatedAgent<'_>| {
        let (_, spec) = own(seated.agent, seated.resolved, settings);
        match serde_json::to_value(around(&spec)) {
            Ok(Value::Object(fields)) => fields,
            _ => serde_json::Map::new(),
        }
    };
    let (one, other) = (fields(one), fields(other));
    one.keys().chain(other.keys()).find(|field| one.get(*field) != other.get(*field)).cloned()
}

/// What a pod has once.
fn around(spec: &PodSpec) -> PodSpec {
    PodSpec { containers: Vec::new(), init_containers: None, volumes: None, ..spec.clone() }
}

/// Takes an agent's containers and volumes into the pod, under names of their own.
fn take_in(spec: &mut PodSpec, own: &PodSpec, seated: &SeatedAgent<'_>, port: u16, all: &[SeatedAgent<'_>]) {
    let rename = |name: &str| format!("{name}-{port}");
    let renamed = |container: &Container| {
        let mut container = container.clone();
        container.name = rename(&container.name);
        container.volume_mounts.iter_mut().flatten().for_each(|mount| mount.name = rename(&mount.name));
        container.volume_devices.iter_mut().flatten().for_each(|device| device.name = rename(&device.name));
        container
    };
    let volumes = own.volumes.iter().flatten().map(|volume| Volume { name: rename(&volume.name), ..volume.clone() });
    spec.volumes.get_or_insert_default().extend(volumes);
    let initial = own.init_containers.iter().flatten().map(renamed);
    spec.init_containers.get_or_insert_default().extend(initial);
    spec.containers.extend(own.containers.iter().map(|container| {
        let is_agent = container.name == CONTAINER;
        let container = renamed(container);
        if is_agent { agent_container(container, seated, port, all) } else { container }
    }));
}

/// The agent's container, called as the agent is, at a port of its own, with the workspaces of the others.
fn agent_container(
    mut container: Container,
    seated: &SeatedAgent<'_>,
    port: u16,
    all: &[SeatedAgent<'_>],
) -> Container {
    container.name = container_name(&seated.agent.name_any(), port);
    container.env.get_or_insert_default().push(plain("KOMPUTER_LISTEN", format!("0.0.0.0:{port}")));
    for served in container.ports.iter_mut().flatten().filter(|served| served.name.as_deref() == Some("http")) {
        served.name = Some(format!("http-{port}"));
        served.container_port = i32::from(port);
    }
    for probe in [&mut container.readiness_probe, &mut container.liveness_probe].into_iter().flatten() {
        if let Some(get) = probe.http_get.as_mut() {
            get.port = IntOrString::Int(i32::from(port));
        }
    }
    let name = seated.agent.name_any();
    let others = (PORT..).zip(all).filter(|(_, other)| other.agent.name_any() != name);
    let mounts = others.flat_map(|(port, other)| workspace_of(other.agent, port, seated.access));
    container.volume_mounts.get_or_insert_default().extend(mounts);
    container
}

/// As the agent is called, where a container may be called so.
fn container_name(agent: &str, port: u16) -> String {
    if agent.contains('.') { format!("{}-{port}", agent.replace('.', "-")) } else { agent.to_owned() }
}

/// Where the others find the workspace of an agent.
pub(in crate::agent) fn path(agent: &str) -> String {
    format!("/agents/{agent}/workspace")
}

fn workspace_of(agent: &KomputerAgent, port: u16, access: WorkspaceAccess) -> impl Iterator<Item = VolumeMount> {
    let path = path(&agent.name_any());
    let hidden = PRIVATE.map(|private| VolumeMount {
        name: NOTHING.into(),
        mount_path: format!("{path}/{private}"),
        read_only: Some(true),
        ..Default::default()
    });
    let workspace = VolumeMount {
        name: format!("workspace-{port}"),
        mount_path: path,
        read_only: Some(access == WorkspaceAccess::ReadOnly),
        ..Default::default()
    };
    std::iter::once(workspace).chain(hidden)
}

/// Makes what is hidden in the workspaces, where they are new: the node could not, or would make it as another user.
fn prepares(image: String, seated: &[SeatedAgent<'_>]) -> Container {
    let names = seated.iter().map(|seated| seated.agent.name_any());
    let (mut command, mut mounts) = (vec!["mkdir".to_owned(), "-p".to_owned()], Vec::new());
    for (port, name) in (PORT..).zip(names) {
        let path = path(&name);
        command.extend(PRIVATE.map(|private| format!("{path}/{private}")));
        mounts.push(VolumeMount { name: format!("workspace-{port}"), mount_path: path, ..Default::default() });
    }
    let quantity = |name: &str, value: &str| (name.to_owned(), Quantity(value.into()));
    Container {
        name: "komputer-workspaces".into(),
        image: Some(image),
        image_pull_policy: Some("IfNotPresent".into()),
        command: Some(command),
        resources: Some(ResourceRequirements {
            requests: Some([quantity("cpu", "10m"), quantity("memory", "16Mi")].into()),
            limits: Some([quantity("memory", "64Mi")].into()),
            ..Default::default()
        }),
        security_context: Some(restricted()),
        volume_mounts: Some(mounts),
        ..Default::default()
    }
}

/// Metadata of a squad's pod: komputer's own labels, those of agents' pods, by which policies select.
pub(crate) fn metadata_of_shared_pod(
    name: String,
    namespace: Option<String>,
    squad: &str,
    owner: Option<OwnerReference>,
) -> ObjectMeta {
    let mut labels = super::shared_labels();
    labels.insert("app.kubernetes.io/instance".into(), squad.into());
    labels.insert("komputer.ai/squad-name".into(), squad.into());
    ObjectMeta {
        name: Some(name),
        namespace,
        labels: Some(labels),
        owner_references: owner.map(|owner| vec![owner]),
        ..Default::default()
    }
}
