//! Hands libFuzzer's inputs on as records of finished steps.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::cache::check(input));
