//! An initramfs.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::boot::use_initramfs(bytes));
