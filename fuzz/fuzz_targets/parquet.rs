//! Hands libFuzzer's inputs on as Parquet files.

#![no_main]

libfuzzer_sys::fuzz_target!(
    init: {
        // The reader catches what its dependency panics with, and libFuzzer's hook would stop at that already. A panic
        // that nobody catches stops it all the same; the replay of the input shows its words.
        std::panic::set_hook(Box::new(|_| {}));
    },
    |input: &[u8]| trainyard_fuzz::parquet::check(input)
);
