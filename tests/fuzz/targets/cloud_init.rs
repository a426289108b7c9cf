//! cloud-init's settings and ds-identify's, with the kernel's command line.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::agents::use_settings(bytes));
