//! Numbers pass to their last digit, also where they are kept as text, which is where one would be rounded.
use serde_json::{Value, json};

use crate::{to_v1alpha1, to_v1beta1};

/// As JSON that the apiserver sends; each is what it writes for itself.
const NUMBERS: [&str; 12] = [
    "0.30000000000000004",
    "1e-7",
    "1.7976931348623157e+308",
    "5e-324",
    "-0.0",
    "0.1",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "179.80899999999997",
];

#[test]
fn every_number_comes_back_to_the_last_digit() {
    for text in NUMBERS {
        let number: Value = serde_json::from_str(text).unwrap();
        assert_eq!(number.to_string(), text);
        // A field of both versions; one that v1alpha1 cannot say, which becomes an annotation; and one of a status.
        let v1beta1 = json!({
            "apiVersion": "komputer.komputer.ai/v1beta1", "kind": "KomputerAgent", "metadata": { "name": "a" },
            "spec": { "priority": number, "unknown": { "deep": [number] } }, "status": { "phase": number },
        });
        let v1alpha1 = as_sent(&to_v1alpha1(&v1beta1));
        let annotation = &v1alpha1["metadata"]["annotations"]["v1beta1.komputer.komputer.ai/spec.unknown.deep"];
        assert_eq!(*annotation, format!(r#"{{"is":[{text}]}}"#));
        // As text, because 0.0 and -0.0 are equal numbers.
        assert_eq!(as_sent(&to_v1beta1(&v1alpha1)).to_string(), v1beta1.to_string(), "{text}");
    }
}

/// What the apiserver sends is text.
fn as_sent(object: &Value) -> Value {
    serde_json::from_str(&object.to_string()).unwrap()
}
