//! Hands libFuzzer's inputs on as models.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::model::check(input));
