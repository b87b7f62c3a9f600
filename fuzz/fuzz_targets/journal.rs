//! Hands libFuzzer's inputs on as journals of runs.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::journal::check(input));
