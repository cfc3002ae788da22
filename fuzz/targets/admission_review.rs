//! Any body that is sent to the validating webhook.
#![no_main]
use std::sync::LazyLock;

use komputer_tests::promises::review;
use komputer_webhooks::{Objects, References, validate};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    static REFERENCES: LazyLock<References> = LazyLock::new(|| References::new(Objects::default()));
    if let Err(broken) = review::admission(body, validate(review::kind(body), body, &REFERENCES)) {
        panic!("{broken}");
    }
});
