//! rpm's database ndb, as it is but for its checksums.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::packages::use_ndb(bytes));
