//! Rules of nft.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::network::use_rules("nftables", "/etc/nftables.conf", bytes));
