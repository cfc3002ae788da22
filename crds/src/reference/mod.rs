//! The API reference: a page of Markdown for each kind, and one that lists them.
//!
//! Everything is read off the definitions, so a page says what the apiserver enforces. Every path of every version has an
//! anchor of its name: `komputertask.md#v1beta1.spec.agentRef.name`.
mod bounds;
mod example;
mod index;
mod markdown;
mod object;
mod page;
mod rule;

use std::collections::BTreeMap;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

pub use example::Examples;

/// Why the reference cannot be made.
#[derive(thiserror::Error, Debug, PartialEq, Eq)]
pub enum ReferenceError {
    /// A kind has no example to show.
    #[error("{kind} has no example; write docs/reference/examples/{}.yaml, small and as users would", kind.to_lowercase())]
    NoExample {
        /// The kind.
        kind: String,
    },
    /// A kind's example is one of something else.
    #[error("docs/reference/examples/{file} is not an object of {kind} alone; correct it")]
    OtherExample {
        /// The example.
        file: String,
        /// The kind it should be of.
        kind: String,
    },
    /// A version has no schema.
    #[error("{kind} has no schema in {version}; derive it")]
    NoSchema {
        /// The kind.
        kind: String,
        /// The version.
        version: String,
    },
}

/// The pages by their file names.
///
/// # Errors
/// See [`ReferenceError`].
pub fn pages(
    definitions: &[CustomResourceDefinition],
    examples: &Examples,
) -> Result<BTreeMap<String, String>, ReferenceError> {
    let mut pages = BTreeMap::from([("README.md".to_owned(), index::index(definitions))]);
    for definition in definitions {
        pages.insert(file_name(definition), page::page(definition, examples)?);
    }
    Ok(pages)
}

fn file_name(definition: &CustomResourceDefinition) -> String {
    format!("{}.md", definition.spec.names.kind.to_lowercase())
}
