use komputer_crds::convert::{Version, convert};
use kube::core::Status;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A `ConversionReview` of `apiextensions.k8s.io/v1`, as asked.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Review {
    api_version: String,
    kind: String,
    request: Option<Request>,
}

#[derive(Deserialize)]
struct Request {
    uid: String,
    #[serde(rename = "desiredAPIVersion")]
    desired_api_version: String,
    #[serde(default)]
    objects: Vec<Value>,
}

/// A `ConversionReview` as answered.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answer {
    api_version: String,
    kind: String,
    response: Response,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    uid: String,
    result: Status,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    converted_objects: Vec<Value>,
}

/// More problems than these would not be read.
const MAX_PROBLEMS: usize = 10;

/// Converts every object, in order. The apiserver takes all of them or none, so one that cannot be converted fails the
/// review; what an object holds never is a reason.
pub(super) fn answer(review: Review) -> Result<(Answer, &'static str), String> {
    const API_VERSION: &str = "apiextensions.k8s.io/v1";
    let Review { api_version, kind, request: Some(request) } = review else {
        return Err("the review has no request".into());
    };
    if api_version != API_VERSION || kind != "ConversionReview" {
        return Err(format!("{api_version} {kind} is not known here; send a ConversionReview of {API_VERSION}"));
    }
    let (uid, converted) = (request.uid.clone(), converted(request));
    let (result, converted_objects, outcome) = match converted {
        Ok(objects) => (Status::success(), objects, "ok"),
        Err(problems) => {
            tracing::warn!(problems, "objects cannot be converted");
            (Status::failure(&problems, "Invalid"), Vec::new(), "failed")
        }
    };
    let response = Response { uid, result, converted_objects };
    Ok((Answer { api_version, kind, response }, outcome))
}

fn converted(request: Request) -> Result<Vec<Value>, String> {
    let version = Version::of(&request.desired_api_version).ok_or_else(|| {
        format!("desiredAPIVersion: {:?} is not a version of these kinds; use komputer.komputer.ai/v1beta1 or komputer.komputer.ai/v1alpha1", request.desired_api_version)
    })?;
    let (mut objects, mut problems) = (Vec::with_capacity(request.objects.len()), Vec::new());
    for (index, object) in request.objects.into_iter().enumerate() {
        let name = name(&object);
        match convert(object, version) {
            Ok(object) => objects.push(object),
            Err(error) => problems.push(format!("objects[{index}] {name}: {error}")),
        }
    }
    if problems.is_empty() {
        return Ok(objects);
    }
    let more = problems.len().saturating_sub(MAX_PROBLEMS);
    problems.truncate(MAX_PROBLEMS);
    if more > 0 {
        problems.push(format!("and {more} more"));
    }
    Err(problems.join("; "))
}

/// `namespace/name`, as far as the object says.
fn name(object: &Value) -> String {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    format!("{}/{}", text("/metadata/namespace"), text("/metadata/name"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(objects: Value) -> Value {
        let review = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "ConversionReview",
            "request": { "uid": "1", "desiredAPIVersion": "komputer.komputer.ai/v1beta1", "objects": objects },
        });
        serde_json::to_value(answer(serde_json::from_value(review).unwrap()).unwrap().0).unwrap()
    }

    fn agent(name: &str, version: &str) -> Value {
        let metadata = json!({ "name": name, "namespace": "default" });
        json!({ "apiVersion": format!("komputer.komputer.ai/{version}"), "kind": "KomputerAgent", "metadata": metadata })
    }

    #[test]
    fn all_objects_are_answered_in_order_whatever_their_version() {
        let answer = asked(json!([agent("a", "v1alpha1"), agent("b", "v1beta1"), agent("c", "v1alpha1")]));
        assert_eq!(answer["response"]["uid"], "1");
        assert_eq!(answer["response"]["result"]["status"], "Success");
        let expected = json!([agent("a", "v1beta1"), agent("b", "v1beta1"), agent("c", "v1beta1")]);
        assert_eq!(answer["response"]["convertedObjects"], expected);
    }

    #[test]
    fn what_cannot_be_converted_is_named() {
        let answer = asked(json!([agent("a", "v1alpha1"), agent("b", "v2"), []]));
        assert_eq!(answer["response"]["result"]["status"], "Failure");
        assert_eq!(
            answer["response"]["result"]["message"],
            "objects[1] default/b: apiVersion: \"komputer.komputer.ai/v2\" cannot be converted; \
             use komputer.komputer.ai/v1beta1 or komputer.komputer.ai/v1alpha1; \
             objects[2] ?/?: the value is not an object; send one of komputer.komputer.ai"
        );
    }

    #[test]
    fn a_review_of_another_version_is_refused() {
        let review =
            json!({ "apiVersion": "apiextensions.k8s.io/v1beta1", "kind": "ConversionReview", "request": null });
        assert!(answer(serde_json::from_value(review).unwrap()).is_err());
    }
}
