//! Files of the other inits, and release files; the first byte says which init.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::services::use_scripts(bytes));
