//! Hands libFuzzer's inputs on as CSV files.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::csv::check(input));
