//! What an EFI program is: its machine and sections (Microsoft "PE Format"), and which boot loader they are of.

use lotse_disk::bytes::{has, le16, le32};

/// Bytes of the beginning in which headers and the section table are looked for.
pub(super) const HEAD: usize = 4096;

/// Sections of a program, at most.
const MAX_SECTIONS: usize = 96;

/// Bytes read of a section, at most.
const MAX_SECTION: u32 = 64 << 10;

/// An EFI program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// `uname -m`; `None` for a machine that is not known here.
    pub(super) machine: Option<&'static str>,
    /// As in [`crate::facts::BootLoader::kind`].
    pub(super) kind: &'static str,
    pub(super) version: Option<String>,
    /// The command line in a unified kernel.
    pub(super) command_line: Option<String>,
    /// `uname -r` in a unified kernel.
    pub(super) kernel: Option<String>,
}

/// Reads a program by its beginning; `section` gives bytes of it (offset, length). `None` if it is none.
pub(super) fn read(head: &[u8], section: &dyn Fn(u64, usize) -> Vec<u8>) -> Option<Program> {
    let at = usize::try_from(le32(head, 0x3c)).ok()?;
    if !has(head, 0, b"MZ") || !has(head, at, b"PE\0\0") {
        return None;
    }
    let machine = match le16(head, at.checked_add(4)?) {
        0x8664 => Some("x86_64"),
        0x014c => Some("i686"),
        0xaa64 => Some("aarch64"),
        0x01c0 | 0x01c2 | 0x01c4 => Some("arm"),
        0x5064 => Some("riscv64"),
        0x6264 => Some("loongarch64"),
        _ => None,
    };
    let coff = at + 4;
    let sections = usize::from(le16(head, at + 6)).min(MAX_SECTIONS);
    let table = at + 24 + usize::from(le16(head, at + 20));
    let find = |name: &[u8]| {
        (0..sections).map(|index| table + index * 40).find(|at| {
            let field = head.get(*at..*at + 8).unwrap_or_default();
            match field.strip_prefix(b"/") {
                Some(digits) => long_name(head, coff, digits, section).is_some_and(|long| long == name),
                None => field
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.iter().all(|byte| *byte == 0)),
            }
        })
    };
    let content = |name: &[u8]| -> Option<String> {
        let at = find(name)?;
        // No more than is in use of what is stored.
        let len = le32(head, at + 8).min(le32(head, at + 16)).min(MAX_SECTION);
        let bytes = section(u64::from(le32(head, at + 20)), usize::try_from(len).ok()?);
        let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
        Some(String::from_utf8_lossy(text).trim().to_owned())
    };
    let sbat = content(b".sbat").unwrap_or_default();
    let mut program = Program {
        machine,
        kind: "other",
        version: None,
        command_line: None,
        kernel: None,
    };
    let magic = content(b".sdmagic").unwrap_or_default();
    if find(b".linux").is_some() {
        program.kind = "unified_kernel";
        program.command_line = content(b".cmdline");
        program.kernel = content(b".uname");
    } else if let Some(version) = magic.strip_prefix("#### LoaderInfo: systemd-boot ") {
        program.kind = "systemd_boot";
        program.version = version.split_whitespace().next().map(str::to_owned);
    } else if has(head, 0x202, b"HdrS") || has(head, 0x38, b"ARM\x64") || has(head, 4, b"zimg") {
        program.kind = "efi_stub";
    } else if find(b".vendor_cert").is_some() {
        // Only shim itself carries a key; the programs that come with it have the rest of its marks.
        program.kind = "shim";
        program.version = sbat_version(&sbat, "shim");
    } else if find(b"mods").is_some() || sbat.lines().any(|line| line.starts_with("grub,")) {
        program.kind = "grub";
        program.version = sbat_version(&sbat, "grub");
    }
    Some(program)
}

/// A section's name of more than eight bytes: `/` and its place, in decimal digits, in the strings after the symbols.
fn long_name(head: &[u8], coff: usize, digits: &[u8], section: &dyn Fn(u64, usize) -> Vec<u8>) -> Option<Vec<u8>> {
    const SYMBOL: u64 = 18;
    let digits = digits.split(|byte| *byte == 0).next()?;
    let offset: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    let symbols = u64::from(le32(head, coff + 8));
    let at = symbols
        .checked_add(u64::from(le32(head, coff + 12)) * SYMBOL)?
        .checked_add(offset)?;
    let bytes = section(at, 32);
    (symbols != 0).then(|| bytes.split(|byte| *byte == 0).next().unwrap_or_default().to_vec())
}

/// SBAT.md of shim: lines of component, generation, vendor, package, version, URL.
fn sbat_version(sbat: &str, component: &str) -> Option<String> {
    let line = sbat.lines().find(|line| line.split(',').next() == Some(component))?;
    line.split(',').nth(4).map(str::to_owned)
}
