//! A boot loader's configuration; its first byte says which.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::boot::use_configuration(bytes));
