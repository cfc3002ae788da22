//! The forms of names in Kubernetes.
use serde_json::Value;

use super::Cause;

/// Checks that the name at `field` could be an object's.
pub(super) fn check_object_name(field: &str, name: Option<&Value>, causes: &mut Vec<Cause>) {
    causes.extend(name.and_then(Value::as_str).and_then(|name| cause_of_form(field, name)));
}

/// Why no object can be called so, where none can. A name that somebody else has made up goes into no path before.
pub fn cause_of_form(field: &str, name: &str) -> Option<Cause> {
    let form = "an object's name has lower-case letters, digits, '-' and '.', and begins and ends with a letter or digit; correct it";
    (!is_subdomain(name)).then(|| Cause::invalid(field, &name.into(), form))
}

/// Checks that the text at `field` could name a Claude model.
pub(super) fn check_model(field: &str, model: Option<&Value>, causes: &mut Vec<Cause>) {
    let Some(value) = model else { return };
    if !value.as_str().is_none_or(is_model) {
        let form = "a model's name is like claude-sonnet-4-6, of letters, digits and . _ : / @ -; correct it, or remove it for the default";
        causes.push(Cause::invalid(field, value, form));
    }
}

fn is_model(name: &str) -> bool {
    name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | ':' | '/' | '@' | '-'))
}

/// Checks that every item of a list of references could name an object.
pub(super) fn check_references(field: &str, references: Option<&Value>, causes: &mut Vec<Cause>) {
    for (index, reference) in references.and_then(Value::as_array).into_iter().flatten().enumerate() {
        check_object_name(&format!("{field}[{index}].name"), reference.get("name"), causes);
        check_object_name(&format!("{field}[{index}].namespace"), reference.get("namespace"), causes);
    }
}

/// RFC 1123, as apimachinery's `IsDNS1123Subdomain`.
fn is_subdomain(name: &str) -> bool {
    !name.is_empty() && name.len() <= 253 && name.split('.').all(is_label)
}

fn is_label(part: &str) -> bool {
    !part.is_empty()
        && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        && !part.starts_with('-')
        && !part.ends_with('-')
}

/// Whether `key` could be a label's, as apimachinery's `IsQualifiedName`.
pub(super) fn is_label_key(key: &str) -> bool {
    match key.split_once('/') {
        Some((prefix, name)) => is_subdomain(prefix) && is_label_name(name),
        None => is_label_name(key),
    }
}

fn is_label_name(name: &str) -> bool {
    !name.is_empty() && is_label_value(name)
}

/// Whether `value` could be a label's, as apimachinery's `IsValidLabelValue`.
pub(super) fn is_label_value(value: &str) -> bool {
    value.len() <= 63
        && value.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
        && [value.chars().next(), value.chars().next_back()].into_iter().flatten().all(|c| c.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_the_apiserver_takes() {
        for name in ["a", "default", "a-b.c", "1"] {
            assert!(is_subdomain(name), "{name}");
        }
        for name in ["", "-a", "a-", "A", "a_b", "a..b", "a b", &"a".repeat(254)] {
            assert!(!is_subdomain(name), "{name}");
        }
    }

    #[test]
    fn models_are_names_and_nothing_else() {
        assert!(is_model("claude-sonnet-4-6") && is_model("us.anthropic.claude:1") && is_model("a@20260101"));
        assert!(
            !is_model("") && !is_model("-x") && !is_model("claude sonnet") && !is_model("a;b") && !is_model("a\nb")
        );
    }

    #[test]
    fn labels_are_those_that_the_apiserver_takes() {
        assert!(is_label_key("team") && is_label_key("example.com/team") && is_label_key("A_b.c-d"));
        assert!(!is_label_key("") && !is_label_key("example.com/") && !is_label_key("/a") && !is_label_key("a/b/c"));
        assert!(is_label_value("") && is_label_value("Blue_1") && !is_label_value("-a") && !is_label_value("a b"));
    }
}
