//! Hands libFuzzer's inputs on as recorded configurations.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::record::check(input));
