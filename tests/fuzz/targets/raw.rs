//! Raw disks, as they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::use_file(bytes));
