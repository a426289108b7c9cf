//! Every kernel on the disk, with the version and machine that its own header tells.

use lotse_disk::bytes::{has, le16};

use super::place::Tree;
use crate::{
    Fact, Unknown,
    facts::Kernel,
    files::{Files, Read},
    version::{Rules, compare},
};

/// Kernels that are looked at, at most.
const MAX_KERNELS: usize = 64;

/// Where kernels stand; Flatcar has its own place on the EFI partition.
const FOLDERS: [&str; 2] = ["/boot", "/boot/flatcar"];

/// Beginnings of names of kernels in `/boot`.
const NAMES: &[&str] = &["vmlinuz", "vmlinux", "kernel-", "bzImage", "linux-", "Image"];

/// Where modules stand.
pub(super) const MODULES: [&str; 2] = ["/lib/modules", "/usr/lib/modules"];

/// Version and machine of a kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: Option<String>,
    pub(super) architecture: Option<&'static str>,
}

/// Reads a kernel's header (Linux Documentation/arch/x86/boot.rst and arch/arm64/booting.rst).
pub(super) fn header(tree: Tree<'_>, path: &str) -> Read<Header> {
    let head = tree.read_at(path, 0, 0x250)?;
    if has(&head, 0x202, b"HdrS") {
        // kernel_version: where the text stands, less 0x200; XLF_KERNEL_64 is the first bit of xloadflags, from 2.12 on.
        let at = u64::from(le16(&head, 0x20e)) + 0x200;
        let text = tree.read_at(path, at, 128)?;
        let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
        let version = String::from_utf8_lossy(text);
        let version = version.split_whitespace().next().filter(|_| at > 0x200);
        let is_64 = le16(&head, 0x206) < 0x20c || le16(&head, 0x236) & 1 != 0;
        return Ok(Header {
            version: version.map(str::to_owned),
            architecture: Some(if is_64 { "x86_64" } else { "i686" }),
        });
    }
    let architecture = if has(&head, 0x38, b"ARM\x64") {
        Some("aarch64")
    } else if has(&head, 0x30, b"RISCV") {
        Some("riscv64")
    } else {
        None
    };
    Ok(Header {
        version: None,
        architecture,
    })
}

/// The version in a kernel's name, `vmlinuz-6.1.0-56-cloud-amd64`.
pub(super) fn version_in_name(path: &str) -> Option<String> {
    let name = path.rsplit('/').next()?;
    let at = name.find(|c: char| c.is_ascii_digit())?;
    let version = name.get(at..)?;
    version.contains('.').then(|| version.to_owned())
}

/// The newest first; `default` is the path of the one that is started.
pub(super) fn read(files: &Files<'_>, default: Option<(&str, &Header)>) -> Read<Vec<Kernel>> {
    let mut versions: Vec<String> = Vec::new();
    for folder in MODULES {
        for version in files.list(folder)?.into_iter().take(MAX_KERNELS) {
            if !versions.contains(&version) && version.starts_with(|c: char| c.is_ascii_digit()) {
                versions.push(version);
            }
        }
    }
    let mut paths: Vec<String> = Vec::new();
    for folder in FOLDERS {
        for name in files.list(folder)? {
            if NAMES.iter().any(|start| name.starts_with(start)) {
                paths.push(format!("{folder}/{name}"));
            }
        }
    }
    // Fedora, Arch and openSUSE keep the kernel beside its modules and copy it to /boot.
    for version in &versions {
        paths.push(format!("/usr/lib/modules/{version}/vmlinuz"));
    }
    paths.extend(default.map(|(path, _)| path.to_owned()));
    let mut kernels: Vec<Kernel> = Vec::new();
    for path in paths.into_iter().take(MAX_KERNELS) {
        let is_default = default.is_some_and(|(other, _)| other == path);
        let stat = files.lstat(&path)?;
        // Links lead to what is listed by itself.
        if !is_default && stat.is_none_or(|stat| stat.kind != crate::FileKind::File) {
            continue;
        }
        let header = match default {
            Some((_, header)) if is_default => header.clone(),
            _ => header(Tree::System(files), &path)?,
        };
        let version = header.version.or_else(|| version_in_name(&path));
        let known = kernels.iter_mut().find(|kernel| {
            kernel.path.as_deref() == Some(path.as_str()) || (kernel.version.is_some() && kernel.version == version)
        });
        if let Some(kernel) = known {
            if is_default {
                kernel.default = true;
                kernel.path = Some(path);
            }
            continue;
        }
        let modules = match &version {
            Some(version) => Fact::Known(versions.contains(version)),
            None => Fact::Unknown(Unknown::new("kernel_version_not_known")),
        };
        kernels.push(Kernel {
            path: Some(path),
            architecture: header.architecture.map(str::to_owned),
            modules,
            version,
            default: is_default,
        });
    }
    for version in versions {
        if kernels.iter().all(|kernel| kernel.version.as_ref() != Some(&version)) {
            kernels.push(Kernel {
                path: None,
                version: Some(version),
                architecture: None,
                modules: Fact::Known(true),
                default: false,
            });
        }
    }
    kernels.sort_by(|one, other| {
        let version = |kernel: &Kernel| kernel.version.clone().unwrap_or_default();
        compare(Rules::Dpkg, &version(other), &version(one))
    });
    Ok(kernels)
}
