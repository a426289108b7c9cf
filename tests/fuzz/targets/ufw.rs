//! ufw's own rules between its chains.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::network::use_ufw(bytes));
