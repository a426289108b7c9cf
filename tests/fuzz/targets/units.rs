//! Units, drop-ins and presets of systemd, with the SSH server's settings.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::services::use_units(bytes));
