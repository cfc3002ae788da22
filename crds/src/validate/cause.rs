use std::fmt;

use serde_json::Value;

/// One thing that is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// The field, like `spec.podTemplate.spec.containers[0].env[1].name`.
    pub field: String,
    /// In what way it is wrong.
    pub reason: Reason,
    /// Its value, shortened, where that helps.
    pub value: Option<String>,
    /// Why it is wrong, and what to do.
    pub message: String,
}

/// In what way a field is wrong, as in apimachinery's `field.ErrorType`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The field has to be there.
    Required,
    /// The value has the wrong form.
    Invalid,
    /// The field, or this value of it, is not allowed.
    Forbidden,
    /// Another item has the same value.
    Duplicate,
}

/// Longer values are cut.
const VALUE_LENGTH: usize = 80;

impl Cause {
    /// A field that has to be there.
    pub(super) fn required(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason: Reason::Required, value: None, message: message.into() }
    }

    /// A value of the wrong form.
    pub(super) fn invalid(field: impl Into<String>, value: &Value, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason: Reason::Invalid, value: Some(shortened(value)), message: message.into() }
    }

    /// A field, or a value, that is not allowed.
    pub(super) fn forbidden(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), reason: Reason::Forbidden, value: None, message: message.into() }
    }

    /// A value that another item has.
    pub(super) fn duplicate(field: impl Into<String>, value: &str, message: impl Into<String>) -> Self {
        let value = Some(shortened(&value.into()));
        Self { field: field.into(), reason: Reason::Duplicate, value, message: message.into() }
    }

    /// Whether this is what was wrong before, wherever in its list the item is now.
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        (self.reason, &self.value, &self.message) == (other.reason, &other.value, &other.message)
            && without_indexes(&self.field).eq(without_indexes(&other.field))
    }
}

fn shortened(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(VALUE_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

fn without_indexes(field: &str) -> impl Iterator<Item = char> {
    field.chars().filter(|c| !c.is_ascii_digit())
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.field, self.text())
    }
}

impl Cause {
    /// The cause without its field, as `details.causes[].message` has it.
    pub fn text(&self) -> String {
        match &self.value {
            Some(value) => format!("{}: {value}: {}", self.reason, self.message),
            None => format!("{}: {}", self.reason, self.message),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Required => "Required value",
            Self::Invalid => "Invalid value",
            Self::Forbidden => "Forbidden",
            Self::Duplicate => "Duplicate value",
        })
    }
}

impl Reason {
    /// The reason of a Status' cause, as in apimachinery's `metav1.CauseType`.
    pub fn cause_type(self) -> &'static str {
        match self {
            Self::Required => "FieldValueRequired",
            Self::Invalid => "FieldValueInvalid",
            Self::Forbidden => "FieldValueForbidden",
            Self::Duplicate => "FieldValueDuplicate",
        }
    }
}

/// Causes in one line, as apimachinery's `field.ErrorList` writes them.
pub fn message(causes: &[Cause]) -> String {
    match causes {
        [cause] => cause.to_string(),
        causes => format!("[{}]", causes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_read_like_those_of_the_apiserver() {
        let causes = [
            Cause::forbidden("spec.podTemplate.spec.hostPID", "it shows the node's processes; remove it"),
            Cause::invalid("spec.a[0]", &"B".into(), "must be lower case; change it"),
        ];
        let first = "spec.podTemplate.spec.hostPID: Forbidden: it shows the node's processes; remove it";
        assert_eq!(message(&causes[..1]), first);
        assert_eq!(
            message(&causes),
            format!("[{first}, spec.a[0]: Invalid value: \"B\": must be lower case; change it]")
        );
    }

    #[test]
    fn long_values_are_cut_between_characters() {
        let cause = Cause::invalid("f", &"é".repeat(200).into(), "m");
        assert_eq!(cause.value.unwrap().chars().count(), VALUE_LENGTH + 1);
    }
}
