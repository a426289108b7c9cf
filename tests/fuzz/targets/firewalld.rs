//! A zone of firewalld.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::network::use_rules("firewalld", "/etc/firewalld/zones/public.xml", bytes));
