//! A database of SQLite and its log or journal.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::packages::use_sqlite(bytes));
