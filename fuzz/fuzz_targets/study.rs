//! Hands libFuzzer's inputs on as journals of searches.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::study::check(input));
