//! Any body is answered or refused, and an answer is about what was asked.
use komputer_crds::validate::Kind;
use serde::Serialize;
use serde_json::Value;

use super::{Broken, Held, holds};

/// What a webhook says to a body: an answer and how it went, or why there is none.
type Said<T> = Result<(T, &'static str), String>;

/// The kind of the object in the body of an AdmissionReview; an agent where it says none of ours.
pub fn kind(body: &[u8]) -> Kind {
    let review: Value = serde_json::from_slice(body).unwrap_or_default();
    let of = |object: &str| Kind::ALL.into_iter().find(|kind| review["request"][object]["kind"] == kind.name());
    of("object").or_else(|| of("oldObject")).unwrap_or(Kind::Agent)
}

/// An answer to a ConversionReview, where there is one, has the uid and all objects that were asked, in order.
///
/// # Errors
/// It has not.
pub fn conversion(body: &[u8], said: Said<impl Serialize>) -> Held {
    let Some((asked, response)) = about_what_was_asked(body, said)? else { return Ok(()) };
    let objects = |objects: &Value| objects.as_array().cloned().unwrap_or_default();
    let (sent, converted) = (objects(&asked["objects"]), objects(&response["convertedObjects"]));
    if response["result"]["status"] != "Success" {
        let says = response["result"]["message"].as_str().is_some_and(|message| !message.is_empty());
        return holds(says && converted.is_empty(), || format!("a failure says nothing, or has objects: {response}"));
    }
    holds(sent.len() == converted.len(), || format!("{} objects became {}", sent.len(), converted.len()))?;
    sent.iter().zip(&converted).try_for_each(|(before, after)| {
        let same = ["/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid"]
            .into_iter()
            .all(|path| before.pointer(path) == after.pointer(path));
        holds(same && after["apiVersion"] == asked["desiredAPIVersion"], || {
            format!("an object is another:\n{before}\n{after}")
        })
    })
}

/// An answer to an AdmissionReview, where there is one, has the uid, and a refusal says of which fields and why.
///
/// # Errors
/// It has not.
pub fn admission(body: &[u8], said: Said<impl Serialize>) -> Held {
    let Some((_, response)) = about_what_was_asked(body, said)? else { return Ok(()) };
    let status = &response["status"];
    let causes = status["details"]["causes"].as_array().map_or(&[][..], Vec::as_slice);
    let says = |value: &Value| value.as_str().is_some_and(|text| !text.is_empty());
    let explained = says(&status["message"])
        && status["code"] == 422
        && !causes.is_empty()
        && causes.iter().all(|cause| says(&cause["field"]) && says(&cause["message"]) && says(&cause["reason"]));
    holds(response["allowed"] == true || (response["allowed"] == false && explained), || {
        format!("a refusal does not say why: {response}")
    })?;
    let warnings = response["warnings"].as_array().map_or(&[][..], Vec::as_slice);
    holds(warnings.iter().all(says), || format!("a warning says nothing: {response}"))
}

/// What was asked and answered; nothing where the body was refused, which it must not be without a word.
fn about_what_was_asked(body: &[u8], said: Said<impl Serialize>) -> Result<Option<(Value, Value)>, Broken> {
    let broken = |error: serde_json::Error| Broken(error.to_string());
    let mut answer = match said {
        Ok((answer, _)) => serde_json::to_value(answer).map_err(broken)?,
        Err(problem) => return holds(!problem.is_empty(), || "a body is refused without a word".into()).map(|()| None),
    };
    // A webhook passes over what it does not read, also where that is no text.
    let Ok(mut asked) = serde_json::from_slice::<Value>(body) else { return Ok(None) };
    let (asked, response) = (asked["request"].take(), answer["response"].take());
    holds(asked["uid"].is_string() && asked["uid"] == response["uid"], || {
        format!("the answer has another uid than {asked}: {response}")
    })?;
    Ok(Some((asked, response)))
}
