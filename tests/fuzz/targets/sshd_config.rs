//! The SSH server's configuration with the files that it includes.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::services::use_sshd_config(bytes));
