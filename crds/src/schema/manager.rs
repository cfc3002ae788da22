use kube::core::{Reason, Rule};

/// No agent manages itself; `field` is where it says who does, and `reference` the first part of that.
///
/// An agent from before the rule may go on saying so, to be changed elsewhere and deleted (gitops V8).
pub(crate) fn another_manager(reference: &str, field: &str) -> Rule {
    let itself = format!("has(self.spec.{reference}) && self.spec.{field} == self.metadata.name");
    // Compared with a field that has a bound, because what is optional has none and would cost too much.
    let before = format!("oldSelf.optMap(old, has(old.spec.{reference}) && old.spec.{field} == self.spec.{field})");
    let message =
        format!("must be another agent, because none manages itself; name its manager, or remove {reference}");
    Rule::new(format!("!({itself}) || {before}.orValue(false)"))
        .field_path(format!(".spec.{field}"))
        .message(message.as_str())
        .reason(Reason::FieldValueInvalid)
        .optional_old_self(true)
}
