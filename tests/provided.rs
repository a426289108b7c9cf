//! The programs and images that `cargo xtask test` builds and passes on by environment. What is missing is an error, never a skipped test.

use std::path::PathBuf;

use crate::Result;

/// The command line program.
///
/// # Errors
/// When `LOTSE_BIN` is not set or names no file.
pub fn lotse() -> Result<PathBuf> {
    from_environment("LOTSE_BIN", "the program `lotse`")
}

/// The window's program.
///
/// # Errors
/// When `IMAGELOTSE_BIN` is not set or names no file.
pub fn imagelotse() -> Result<PathBuf> {
    from_environment("IMAGELOTSE_BIN", "the program `imagelotse`")
}

/// One of the files that `cargo xtask fixtures` makes, for example `debian-12.qcow2`.
///
/// # Errors
/// When `LOTSE_FIXTURES` is not set or the file is not there.
pub fn fixture(name: &str) -> Result<PathBuf> {
    existing(
        from_environment("LOTSE_FIXTURES", "the folder of test images")?.join(name),
        "the test image",
    )
}

fn from_environment(variable: &str, what: &str) -> Result<PathBuf> {
    let Some(path) = std::env::var_os(variable) else {
        return Err(format!(
            "{what} is missing ({variable} is not set). This test is run by `cargo xtask test --only programs`."
        )
        .into());
    };
    existing(path.into(), what)
}

fn existing(path: PathBuf, what: &str) -> Result<PathBuf> {
    if path.exists() {
        return Ok(path);
    }
    Err(format!(
        "{what} is missing: {} does not exist. It is built by `cargo xtask test --only programs`.",
        path.display()
    )
    .into())
}
