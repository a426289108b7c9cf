//! The table of the rules is checked in; this proves that it is that of today's rules.

use std::{env, fs, path::Path};

#[test]
fn the_checked_in_table_of_the_rules_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/requirements.md");
    let fresh = lotse_words::requirements_page();
    // `cargo xtask docs` sets this to write the file instead.
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &fresh).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(
        kept == fresh,
        "docs/requirements.md is not what the rules say: run `cargo xtask docs`"
    );
}
