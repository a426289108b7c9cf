//! What kind of container a file is: the first and last bytes of anything.
#![no_main]

use lotse_disk::{MemorySource, identify};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    _ = identify(&MemorySource::new(bytes.to_vec()));
});
