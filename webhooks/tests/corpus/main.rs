//! What fuzzing has found of reviews, again.
use komputer_tests::promises::{corpus::replay, review};
use komputer_webhooks::{Objects, References, convert, validate};

#[test]
fn what_fuzzing_found_of_conversion_reviews_is_answered() {
    replay("conversion_review", |body| review::conversion(body, convert(body)));
}

#[test]
fn what_fuzzing_found_of_admission_reviews_is_answered() {
    let references = References::new(Objects::default());
    replay("admission_review", |body| review::admission(body, validate(review::kind(body), body, &references)));
}
