//! Any body that is sent to the conversion webhook.
#![no_main]
use komputer_tests::promises::review;
use komputer_webhooks::convert;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Err(broken) = review::conversion(body, convert(body)) {
        panic!("{broken}");
    }
});
