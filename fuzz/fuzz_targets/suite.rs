//! Hands libFuzzer's inputs on as suites of expectations.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::suite::check(input));
