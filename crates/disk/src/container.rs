//! What kind of container a file is.

use serde::{Deserialize, Serialize};

/// A container or archive format, told apart by its bytes. `Display` and serde give the name of `report-json.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Format {
    /// The disk's own bytes, beginning with a partition table or a filesystem.
    Raw,
    /// QEMU copy on write, version 2 or 3.
    Qcow2,
    /// Hyper-V virtual disk, version 2.
    Vhdx,
    /// VirtualBox disk image.
    Vdi,
    /// VMware virtual disk.
    Vmdk,
    /// Hyper-V / Virtual PC disk, version 1; not accepted by ccloud³.
    Vhd,
    /// QEMU enhanced disk; not accepted.
    Qed,
    /// Parallels disk; not accepted.
    Parallels,
    /// ISO 9660 optical disc; not accepted.
    Iso,
    /// The first qcow version; not accepted.
    Qcow,
    /// LUKS-encrypted container; not accepted.
    Luks,
    /// Apple disk image; not accepted.
    Dmg,
    /// zip archive; not accepted.
    Zip,
    /// 7-Zip archive; not accepted.
    #[serde(rename = "7z")]
    SevenZip,
    /// tar archive (also OVA); not accepted.
    Tar,
}

/// A compression around the whole container file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Compression {
    /// RFC 1952; accepted by ccloud³.
    Gzip,
    /// bzip2; accepted by ccloud³.
    Bzip2,
    /// Not accepted.
    Xz,
    /// Not accepted.
    Zstd,
}

/// What a file says of itself in its first bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    /// `None` while a compression hides it.
    pub format: Option<Format>,
    /// The format's own word for its kind, for example `v3` for qcow2.
    pub variant: Option<String>,
    /// Size of the disk that a VM would see, in bytes.
    pub virtual_size: Option<u64>,
    /// Compression around the container.
    pub compression: Option<Compression>,
}
