//! Hands libFuzzer's inputs on as row conditions of expectations.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::condition::check(input));
