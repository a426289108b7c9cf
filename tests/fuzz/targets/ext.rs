//! ext2, ext3 and ext4: the pieces of an image that are not zero.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::ext::walk(bytes));
