//! What fuzzing has found of conversion and of the rules, again.
use komputer_tests::promises::{conversion::there_and_back, corpus::replay, validation::judged};

#[test]
fn what_fuzzing_found_of_conversion_comes_back() {
    replay("conversion_there_and_back", there_and_back);
}

#[test]
fn what_fuzzing_found_of_rules_is_judged() {
    replay("validate", judged);
}
