//! An entry of a boot loader's menu as its configuration writes it.

/// What is started, before anyone looks whether it is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parsed {
    /// What the menu says.
    pub title: Option<String>,
    /// Path as it is written.
    pub kernel: Option<String>,
    /// Paths as they are written.
    pub initramfs: Vec<String>,
    /// The command line.
    pub options: String,
    /// The volume to which the paths refer, as fstab would name it, where the entry says so.
    pub device: Option<String>,
    /// Line at which the entry begins, counted from 1.
    pub line: u32,
    /// Line of the command line, counted from 1.
    pub options_line: Option<u32>,
}
