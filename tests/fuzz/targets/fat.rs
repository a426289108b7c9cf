//! A FAT filesystem.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::boot::use_fat(bytes));
