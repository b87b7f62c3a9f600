//! Hands libFuzzer's inputs on as the files of a project.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| trainyard_fuzz::spec::check(input));
