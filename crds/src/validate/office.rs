use serde_json::Value;

use super::{
    Cause,
    names::{check_object_name, check_references},
    typed::check_type,
};
use crate::v1beta1::KomputerOfficeSpec;

pub(super) fn check(spec: &Value, causes: &mut Vec<Cause>) {
    check_type::<KomputerOfficeSpec>("spec", spec, causes);
    check_object_name("spec.managerRef.name", spec.pointer("/managerRef/name"), causes);
    check_references("spec.templateRefs", spec.get("templateRefs"), causes);
}
