//! VHDX files. Most of such a file is nothing: the input is its pieces (see `lotse_fuzz::Pieces`).
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::use_pieces(bytes));
