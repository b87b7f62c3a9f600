//! Hands libFuzzer's inputs on as PNG files.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::images::check(input));
