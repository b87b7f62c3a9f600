//! Hands libFuzzer's inputs on as dates and their formats.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::date::check(input));
