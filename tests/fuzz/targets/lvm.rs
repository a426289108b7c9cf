//! The text in which LVM2 keeps its metadata.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::volumes::use_lvm(bytes));
