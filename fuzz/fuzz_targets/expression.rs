//! Hands libFuzzer's inputs on as SQL expressions.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::expression::check(input));
