//! Package databases of text: dpkg, opkg, apk, pacman, portage, Slackware.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| lotse_fuzz::packages::use_text(bytes));
