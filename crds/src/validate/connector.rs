use serde_json::Value;

use super::{Cause, names::check_object_name, typed::check_type, volume::check_secret_name};
use crate::v1beta1::KomputerConnectorSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerConnectorSpec>("spec", spec, causes);
    check_url("spec.url", spec.get("url"), causes);
    check_url("spec.auth.tokenURL", spec.pointer("/auth/tokenURL"), causes);
    let secret = spec.pointer("/auth/secretKeyRef/name");
    check_object_name("spec.auth.secretKeyRef.name", secret, causes);
    check_secret_name("spec.auth.secretKeyRef.name", secret, causes);
}

/// What is in an address is there for everybody to read who may read the connector.
fn check_url(path: &str, url: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(text) = url.and_then(Value::as_str) else { return };
    let authority = text.split_once("://").map_or(text, |(_, rest)| rest).split(['/', '?', '#']).next();
    if authority.is_some_and(|authority| authority.contains('@')) {
        let why =
            "it holds a password that everybody can read; put that into a Secret and name it in spec.auth.secretKeyRef";
        causes.push(Cause::forbidden(path, why));
    }
}
