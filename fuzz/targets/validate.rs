//! Objects of any kind, and changes of them, are judged.
#![no_main]
use komputer_tests::promises::validation::judged;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(broken) = judged(bytes) {
        panic!("{broken}");
    }
});
