use schemars::Schema;
use serde_json::{Value, json};

/// Has an enum of documented variants leave its own description to the field that has it, and keep what its values mean
/// in its title, from where the definition takes it into the field's description: kube drops both.
pub(crate) fn words(schema: &mut Schema) {
    let Some(variants) = schema.get("oneOf").and_then(Value::as_array) else { return };
    let words: Vec<_> = variants.iter().filter_map(|variant| variant["const"].as_str()).map(String::from).collect();
    let meanings = variants.iter().filter_map(|variant| {
        let (word, meaning) = (variant["const"].as_str()?, variant["description"].as_str()?);
        let meaning = meaning.trim_end_matches('.').replace('\n', " ");
        Some(if word.is_empty() { format!("empty: {meaning}") } else { format!("`{word}`: {meaning}") })
    });
    let meanings = meanings.collect::<Vec<_>>().join("; ");
    *schema = Schema::default();
    schema.insert("type".into(), "string".into());
    schema.insert("enum".into(), json!(words));
    schema.insert("title".into(), format!("{meanings}.").into());
}
