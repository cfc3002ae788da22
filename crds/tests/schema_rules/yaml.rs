//! What the files say to programs that read YAML.
use serde_json::Value;

use crate::definition::definitions;

/// kubectl reads YAML 1.1, where some words and numbers are not the text that YAML 1.2 takes them for.
#[test]
fn no_text_means_something_else_in_yaml_1_1() {
    let trap = |text: &str| {
        let word = ["y", "n", "yes", "no", "on", "off"].contains(&text.to_lowercase().as_str());
        let digits = text.trim_start_matches(['+', '-']);
        let number = digits.starts_with(|c: char| c.is_ascii_digit())
            && digits.contains(['_', ':'])
            && digits.chars().all(|c| c.is_ascii_hexdigit() || "_:.xXo".contains(c));
        word || number
    };
    assert!(trap("on") && trap("Y") && trap("1_000") && trap("12:30") && !trap("v1beta1") && !trap("5Gi"));
    for definition in definitions() {
        each_text(&definition.0, &mut |text| {
            assert!(!trap(text), "{}: {text:?} needs quotes in YAML 1.1", definition.plural());
        });
    }
}

fn each_text(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(items) => items.iter().for_each(|item| each_text(item, visit)),
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            visit(name);
            each_text(value, visit);
        }),
        _ => {}
    }
}
