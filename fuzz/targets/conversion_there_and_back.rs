//! Objects of any kind, and parts of them, come back from the other version as they went.
#![no_main]
use komputer_tests::promises::conversion::there_and_back;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(broken) = there_and_back(bytes) {
        panic!("{broken}");
    }
});
