//! rpm's database as a hash of Berkeley DB, as it is.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::packages::use_file("/var/lib/rpm/Packages", bytes));
