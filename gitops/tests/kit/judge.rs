//! What GitOps tools say of objects, by their own code.
use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use komputer_tests::kustomize::repository;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::files::{find, kustomize};

/// What tools say of one object.
#[derive(Deserialize, Debug)]
pub struct Verdict {
    /// kstatus, which Flux reads by and `kubectl` tools too.
    pub kstatus: String,
    /// Flux with the component's expressions.
    pub flux: String,
    /// Argo CD with the component's script.
    pub argo: Health,
}

/// What Argo CD says of one object.
#[derive(Deserialize, Debug, PartialEq, Eq)]
pub struct Health {
    pub status: String,
    pub message: String,
}

/// The tools, as users set them up.
#[derive(Serialize)]
pub struct Judge {
    /// Argo CD's script.
    pub script: String,
    /// Flux's expressions.
    pub expressions: Value,
}

impl Judge {
    /// With what the components add to a user's Argo CD and Flux.
    pub fn new() -> Self {
        let argo = kustomize("examples/gitops/argocd/argo-cd");
        let scripts = &find(&argo, "ConfigMap", "argocd-cm")["data"];
        let key = format!("resource.customizations.health.{}_KomputerAgent", komputer_crds::GROUP);
        let script = scripts[&key].as_str().unwrap().to_owned();
        let flux = kustomize("gitops/tests/kit/flux-health");
        let expressions = flux[0]["spec"]["healthCheckExprs"][0].clone();
        Self { script, expressions }
    }

    /// What each tool says of each object.
    pub fn judge(&self, objects: &[Value]) -> Vec<Verdict> {
        let request = json!({ "script": self.script, "expressions": self.expressions, "objects": objects });
        let answer = run(&mut Command::new(program()), &request.to_string());
        serde_json::from_str(&answer).unwrap()
    }
}

fn program() -> String {
    run(&mut Command::new(repository("gitops/judge/build")), "").trim().to_owned()
}

fn run(command: &mut Command, input: &str) -> String {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).unwrap()
}
