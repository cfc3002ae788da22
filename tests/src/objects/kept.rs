//! Objects with what a conversion has kept in them, and somebody has changed.
use komputer_crds::convert::Version;
use serde_json::{Value, json};

use super::{
    Kind, Result, Unstructured,
    any::{any_value, text},
};

impl Kind {
    /// Any object, with annotations like those in which a conversion keeps what that version cannot say.
    ///
    /// # Errors
    /// Never, because bytes that are used up are taken for zeros.
    pub fn with_kept(&self, version: Version, bytes: &mut Unstructured<'_>) -> Result<Value> {
        let mut object = self.any(version, bytes)?;
        let prefix = match version {
            Version::V1alpha1 => "v1beta1.komputer.komputer.ai",
            Version::V1beta1 => "v1alpha1.komputer.komputer.ai",
        };
        for _ in 0..bytes.int_in_range(0..=4)? {
            let (name, value) = if bytes.ratio(1, 4)? {
                ("other".to_owned(), self.changes(bytes)?)
            } else {
                let section = bytes.choose(&["spec", "status"])?;
                (format!("{section}.{}", self.path(".", bytes)?), self.change(bytes)?)
            };
            let value = if bytes.ratio(1, 8)? { text(bytes)? } else { value.to_string() };
            object["metadata"]["annotations"][format!("{prefix}/{name}")] = value.into();
        }
        if version == Version::V1alpha1 && object["status"].is_object() && bytes.arbitrary()? {
            object["status"]["v1beta1Fields"] = self.changes(bytes)?["status"].take();
        }
        Ok(object)
    }

    fn changes(&self, bytes: &mut Unstructured<'_>) -> Result<Value> {
        let mut changes = json!({ "spec": {}, "status": {} });
        for _ in 0..bytes.int_in_range(0..=3)? {
            let section = bytes.choose(&["spec", "status"])?;
            changes[*section][format!("/{}", self.path("/", bytes)?)] = self.change(bytes)?;
        }
        Ok(changes)
    }

    fn change(&self, bytes: &mut Unstructured<'_>) -> Result<Value> {
        let mut change = json!({});
        for side in ["was", "is"] {
            if bytes.arbitrary()? {
                change[side] = any_value(&self.words, bytes)?;
            }
        }
        Ok(change)
    }

    fn path(&self, separator: &str, bytes: &mut Unstructured<'_>) -> Result<String> {
        let names = 0..bytes.int_in_range(1..=3)?;
        let names: Vec<String> = names.map(|_| self.any_name(bytes)).collect::<Result<_>>()?;
        Ok(names.join(separator))
    }
}
