//! Settings of the network: interfaces, netplan, key files, ifcfg, networkd, dhcpcd, rc.conf, udev.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::network::use_settings(bytes));
