use serde_json::Value;

use super::{Cause, names::check_object_name, typed::check_type};
use crate::v1beta1::KomputerConfigSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerConfigSpec>("spec", spec, causes);
    for part in ["name", "namespace"] {
        let value = spec.pointer("/redis/passwordSecretRef").and_then(|reference| reference.get(part));
        check_object_name(&format!("spec.redis.passwordSecretRef.{part}"), value, causes);
    }
    let address = spec.pointer("/redis/address");
    let port = address.and_then(Value::as_str).and_then(|address| address.rsplit_once(':')).map(|(_, port)| port);
    if let (Some(value), Some(port)) = (address, port)
        && port.parse::<u16>().is_ok_and(|port| port == 0) | port.parse::<u16>().is_err()
    {
        let why = "its port is not one from 1 to 65535; correct it";
        causes.push(Cause::invalid("spec.redis.address", value, why));
    }
}
