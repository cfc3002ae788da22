//! What conversion promises: nothing is lost, nothing is left behind, whatever part of an object arrives.
#![allow(clippy::unwrap_used, clippy::panic)]

mod agent;
mod kinds;
mod numbers;
mod properties;

use komputer_crds::convert::{Version, convert};
use serde_json::Value;

fn to_v1alpha1(object: &Value) -> Value {
    convert(object.clone(), Version::V1alpha1).unwrap()
}

fn to_v1beta1(object: &Value) -> Value {
    convert(object.clone(), Version::V1beta1).unwrap()
}
