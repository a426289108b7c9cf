//! Rules of iptables-restore.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::network::use_rules("iptables", "/etc/iptables/rules-save", bytes));
