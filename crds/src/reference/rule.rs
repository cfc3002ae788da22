//! What CEL rules say about a field.
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{JSONSchemaProps, ValidationRule};

/// Whether a field may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mutability {
    /// As anybody likes.
    Free,
    /// Not every change is taken; a rule says which.
    Restricted,
    /// It may be added once, and never changed.
    OnceSet,
    /// Never, whether it is there or not.
    Immutable,
}

impl Mutability {
    /// What it means for what is in a field.
    pub(super) fn within(self) -> Self {
        if self == Self::Restricted { Self::Free } else { self }
    }

    /// In a word; nothing where it is free.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Free => "",
            Self::Restricted => "changes restricted",
            Self::OnceSet => "immutable once set",
            Self::Immutable => "immutable",
        }
    }
}

/// The rules of a schema itself and those of its parent that are about it.
pub(super) struct Rules<'a> {
    own: Vec<&'a ValidationRule>,
    of_parent: Vec<&'a ValidationRule>,
    name: &'a str,
}

impl<'a> Rules<'a> {
    /// Of the field `name` of `parent`.
    pub(super) fn of(name: &'a str, field: &'a JSONSchemaProps, parent: &'a JSONSchemaProps) -> Self {
        let about = |rule: &&ValidationRule| field_of(rule) == Some(name);
        Self { own: all(field).collect(), of_parent: all(parent).filter(about).collect(), name }
    }

    /// Whether the field may change.
    pub(super) fn mutability(&self) -> Mutability {
        let frozen = self.own.iter().any(|rule| rule.rule == "self == oldSelf");
        let of_parent = |form: fn(&str) -> Vec<String>| {
            self.of_parent.iter().any(|rule| form(self.name).iter().all(|part| rule.rule.contains(part.as_str())))
        };
        let compared = frozen || of_parent(|name| vec![format!("self.{name} == oldSelf.{name}")]);
        match () {
            () if compared && of_parent(|name| vec![format!("has(self.{name}) == has(oldSelf.{name})")]) => {
                Mutability::Immutable
            }
            () if compared && of_parent(|name| vec![format!("has(oldSelf.{name})")]) => Mutability::OnceSet,
            // What is required cannot be left out either.
            () if compared => Mutability::Immutable,
            () if self.all().any(is_of_changes) => Mutability::Restricted,
            () => Mutability::Free,
        }
    }

    /// What people read where a rule is broken.
    pub(super) fn messages(&self) -> impl Iterator<Item = &'a str> {
        self.all().filter_map(|rule| rule.message.as_deref())
    }

    fn all(&self) -> impl Iterator<Item = &'a ValidationRule> {
        self.own.iter().chain(&self.of_parent).copied()
    }
}

/// The messages of an object's rules that are about no field of it alone.
pub(super) fn messages_of_whole(schema: &JSONSchemaProps) -> impl Iterator<Item = &str> {
    all(schema).filter(|rule| field_of(rule).is_none()).filter_map(|rule| rule.message.as_deref())
}

/// The messages of rules about an object's name.
pub(super) fn messages_of_name(schema: &JSONSchemaProps) -> impl Iterator<Item = &str> {
    all(schema).filter(|rule| field_of(rule) == Some("metadata.name")).filter_map(|rule| rule.message.as_deref())
}

/// Whether a rule is about changes alone. One that is asked at creation too lets old objects be.
fn is_of_changes(rule: &ValidationRule) -> bool {
    rule.rule.contains("oldSelf") && rule.optional_old_self != Some(true)
}

fn all(schema: &JSONSchemaProps) -> impl Iterator<Item = &ValidationRule> {
    schema.x_kubernetes_validations.iter().flatten()
}

/// The field that a rule of its parent points at.
fn field_of(rule: &ValidationRule) -> Option<&str> {
    rule.field_path.as_deref()?.strip_prefix('.')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Mutability, Rules};

    fn mutability(own: &str, of_parent: &str) -> Mutability {
        let rules = |rule: &str, path: &str| match rule {
            "" => json!([]),
            rule => json!([{ "rule": rule, "message": "m", "fieldPath": path }]),
        };
        let field = serde_json::from_value(json!({ "x-kubernetes-validations": rules(own, "") })).unwrap();
        let parent = serde_json::from_value(json!({ "x-kubernetes-validations": rules(of_parent, ".a") })).unwrap();
        Rules::of("a", &field, &parent).mutability()
    }

    #[test]
    fn rules_say_whether_a_field_may_change() {
        assert_eq!(mutability("", ""), Mutability::Free);
        assert_eq!(mutability("self != ''", ""), Mutability::Free);
        assert_eq!(mutability("self == oldSelf", ""), Mutability::Immutable);
        let both = "has(self.a) == has(oldSelf.a) && (!has(self.a) || self.a == oldSelf.a)";
        assert_eq!(mutability("", both), Mutability::Immutable);
        assert_eq!(mutability("self == oldSelf", "!has(oldSelf.a) || has(self.a)"), Mutability::OnceSet);
        assert_eq!(mutability("", "!has(oldSelf.a) || (has(self.a) && self.a == oldSelf.a)"), Mutability::OnceSet);
        assert_eq!(mutability("self >= oldSelf", ""), Mutability::Restricted);
    }

    #[test]
    fn a_rule_that_lets_old_objects_be_says_nothing_of_changes() {
        let rule = json!([{ "rule": "oldSelf.hasValue() || self != ''", "optionalOldSelf": true }]);
        let field = serde_json::from_value(json!({ "x-kubernetes-validations": rule })).unwrap();
        let parent = serde_json::from_value(json!({})).unwrap();
        assert_eq!(Rules::of("a", &field, &parent).mutability(), Mutability::Free);
    }

    #[test]
    fn rules_of_other_fields_are_theirs() {
        let field = serde_json::from_value(json!({})).unwrap();
        let rule = json!([{ "rule": "self.b == oldSelf.b", "message": "m", "fieldPath": ".b" }]);
        let parent = serde_json::from_value(json!({ "x-kubernetes-validations": rule })).unwrap();
        assert_eq!(Rules::of("a", &field, &parent).messages().count(), 0);
        assert_eq!(super::messages_of_whole(&parent).count(), 0);
    }
}
