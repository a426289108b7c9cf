//! What a filesystem is told by.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::volumes::use_filesystem(bytes));
