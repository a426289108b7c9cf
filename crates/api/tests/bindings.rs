//! The window's types are checked in; this proves that they are those of today's Rust code.

use std::{env, fs, path::Path};

#[test]
fn the_checked_in_typescript_types_are_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ui/src/lib/generated/bindings.ts");
    let fresh = lotse_api::bindings();
    // `cargo xtask types` sets this to write the file instead.
    if env::var_os("UPDATE_TYPES").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &fresh).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap().replace("\r\n", "\n");
    assert!(
        kept == fresh,
        "ui/src/lib/generated/bindings.ts is not what crates/api says: run `cargo xtask types`"
    );
}
