//! What kind of container a file is.

use std::fmt;

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
    /// tar archive; not accepted.
    Tar,
    /// Open Virtualization appliance, a tar archive with disks in it; not accepted.
    Ova,
}

impl Format {
    /// The name as in `report-json.md` and in serde.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vhdx => "vhdx",
            Self::Vdi => "vdi",
            Self::Vmdk => "vmdk",
            Self::Vhd => "vhd",
            Self::Qed => "qed",
            Self::Parallels => "parallels",
            Self::Iso => "iso",
            Self::Qcow => "qcow",
            Self::Luks => "luks",
            Self::Dmg => "dmg",
            Self::Zip => "zip",
            Self::SevenZip => "7z",
            Self::Tar => "tar",
            Self::Ova => "ova",
        }
    }

    /// Does ccloud³ take images in this container (`ccloud.md`, "Requirements of a custom image")?
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Raw | Self::Qcow2 | Self::Vhdx | Self::Vdi | Self::Vmdk)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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

impl Compression {
    /// The name as in `report-json.md` and in serde.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Bzip2 => "bzip2",
            Self::Xz => "xz",
            Self::Zstd => "zstd",
        }
    }

    /// Does ccloud³ take images compressed so (`ccloud.md`, "Requirements of a custom image")?
    pub fn is_accepted(self) -> bool {
        matches!(self, Self::Gzip | Self::Bzip2)
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
