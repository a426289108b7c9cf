//! Partition tables, and what stands in the partitions.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::volumes::use_table(bytes));
