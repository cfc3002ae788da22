//! The API types of komputer, group `komputer.komputer.ai`.
//!
//! [`v1beta1`] is what komputer stores and works with. [`v1alpha1`] is the schema of the system before it, served so
//! that its YAML keeps working; [`convert`] goes between the two on JSON values, because the apiserver converts partial
//! objects too.
pub mod convert;
mod definitions;
mod deprecated;
mod json_schema;
mod name_limit;
pub mod object_references;
pub mod recurrence;
pub mod reference;
mod schema;
pub mod v1alpha1;
pub mod v1beta1;
pub mod validate;

pub use definitions::{DefinitionError, definitions, to_yaml};
pub use deprecated::deprecated;
pub use json_schema::json_schemas;

/// The API group of every kind.
pub const GROUP: &str = "komputer.komputer.ai";
/// The version that is stored, and preferred.
pub const STORAGE_VERSION: &str = "v1beta1";
/// The model an agent uses where neither it nor its template names one.
pub const DEFAULT_MODEL: &str = "claude-sonnet-4-6";
/// The template an agent uses where it names none.
pub const DEFAULT_TEMPLATE: &str = "default";
