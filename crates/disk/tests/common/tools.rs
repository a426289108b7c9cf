//! Tools that only some tests want.

use std::process::Command;

/// Is this tool there? `cargo xtask test` installs them all: where CI runs it, one that is missing is a fault, not a skipped test.
pub(crate) fn has(program: &str) -> bool {
    let script = format!("command -v {program} || test -x /usr/sbin/{program}");
    let found = Command::new("sh")
        .args(["-c", &script])
        .output()
        .is_ok_and(|output| output.status.success());
    assert!(found || std::env::var_os("CI").is_none(), "{program} is missing");
    found
}
