//! The facts about a disk, as the rules see them. What could not be read is [`Fact::Unknown`] and never guessed.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

/// Something read off the disk, or the reason why it could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// Read off the disk.
    Known(T),
    /// Could not be read; never to be taken for a pass.
    Unknown(Unknown),
}

/// Why a fact is not known, as a code with parameters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    /// Stable code (`snake_case`), one of [`Unknown::CODES`].
    pub code: String,
    /// Parameters for the sentence made from the code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
}

impl Unknown {
    /// Every code that a fact may carry.
    pub const CODES: &'static [&'static str] = &[
        "agent_start_not_known",
        "built_in_list_not_read",
        "config_not_read",
        "disk_not_read",
        "ext_corrupt",
        "ext_feature_not_read",
        "file_encrypted",
        "file_on_other_filesystem",
        "file_too_large",
        "filesystem_not_read",
        "filesystem_not_recognised",
        "first_boot_presets",
        "journal_dirty",
        "no_system",
        "package_database_not_read",
        "partition_table_corrupt",
        "root_inside_layer",
        "service_start_not_known",
        "several_systems",
        "started_by_another_unit",
        "version_not_known",
    ];

    /// A reason without parameters.
    pub fn new(code: &str) -> Self {
        Self {
            code: code.to_owned(),
            params: BTreeMap::new(),
        }
    }

    /// Adds a named parameter for the sentence made from the code.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.params.insert(name.to_owned(), value.to_string());
        self
    }
}

impl Evidence {
    /// Longest [`Evidence::value`], in characters.
    pub const MAX_VALUE: usize = 200;

    /// A file or link as evidence.
    pub fn path(path: impl Into<String>) -> Self {
        Self {
            path: Some(path.into()),
            ..Self::default()
        }
    }

    /// Names the line, counted from 1.
    #[must_use]
    pub fn line(mut self, line: u32) -> Self {
        self.line = Some(line);
        self
    }

    /// Says what stood there, shortened (`…`) to [`Evidence::MAX_VALUE`] characters and without control characters.
    #[must_use]
    pub fn value(mut self, value: &str) -> Self {
        let mut plain = value.chars().map(|c| if c.is_control() { ' ' } else { c });
        let mut shortened: String = plain.by_ref().take(Self::MAX_VALUE - 1).collect();
        let rest: Vec<char> = plain.take(2).collect();
        match rest.as_slice() {
            [last] => shortened.push(*last),
            [_, _, ..] => shortened.push('…'),
            [] => {}
        }
        self.value = Some(shortened);
        self
    }
}

/// Where something was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Evidence {
    /// Absolute path inside the guest.
    pub path: Option<String>,
    /// Line in that file, counted from 1.
    pub line: Option<u32>,
    /// What stood there, shortened to 200 characters; never a secret.
    pub value: Option<String>,
}

/// Everything that is known about a disk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The partition table.
    pub table: Fact<PartitionTable>,
    /// The filesystem that holds `/`; `None` when every filesystem could be judged and none is a root.
    pub root: Fact<Option<Root>>,
    /// The operating system; `None` when the root holds none that is recognised.
    pub system: Fact<Option<System>>,
    /// The program that configures a VM at its first start; `None` when none is installed.
    pub agent: Fact<Option<Agent>>,
    /// cloud-init's effective list of datasources; `None` where there is no cloud-init.
    pub datasources: Fact<Option<Datasources>>,
    /// The SSH server.
    pub sshd: Fact<Sshd>,
}

/// Kind of partition table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableKind {
    /// GUID partition table (UEFI 2.10, chapter 5).
    Gpt,
    /// Master boot record.
    Mbr,
    /// A filesystem begins at the first sector.
    None,
}

/// A disk's partition table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionTable {
    /// Which kind.
    pub kind: TableKind,
    /// Logical sector in bytes: 512 or 4096.
    pub sector_size: u32,
    /// In the table's order, empty entries left out. Without a table: one entry, number 0, for the whole disk.
    pub partitions: Vec<Partition>,
    /// True when the primary GPT is damaged and the backup was used.
    pub from_backup: bool,
}

/// One partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// As the table counts (MBR: logical ones from 5); 0 without a table.
    pub number: u32,
    /// First byte on the virtual disk.
    pub offset: u64,
    /// Length in bytes.
    pub len: u64,
    /// GPT: type GUID in lower case; MBR: type byte as two hexadecimal digits; empty without a table.
    pub type_id: String,
    /// GPT name or filesystem label where there is one.
    pub label: Option<String>,
    /// What stands in it: `ext4`, `ext3`, `ext2`, `xfs`, `btrfs`, `vfat`, `swap`, `luks`, `lvm`, `ntfs`, ...; `None` if not recognised.
    pub filesystem: Option<String>,
}

/// The filesystem that holds `/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// As in [`Partition::filesystem`], and never a layer: what stands inside one that is not looked into is
    /// `root_inside_layer`.
    pub filesystem: String,
    /// Number as the table counts; `None` without a table.
    pub partition: Option<u32>,
    /// What lies between partition and filesystem, outermost first (`lvm`, `luks`). Empty as long as no layer is looked
    /// into.
    pub layers: Vec<String>,
    /// False where the files could not be read and this is merely the only filesystem that can be the root.
    pub read: bool,
}

/// Operating system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct System {
    /// `linux`, `freebsd`, `windows`, ...
    pub family: String,
    /// os-release's `ID`.
    pub distribution: Option<String>,
    /// os-release's `ID_LIKE`: distributions that this one is made from, the closest first.
    pub like: Vec<String>,
    /// os-release's `VERSION_ID`.
    pub version: Option<String>,
    /// os-release's `PRETTY_NAME`.
    pub name: Option<String>,
    /// `x86_64`, `aarch64`, ...: the ELF machine of the init program.
    pub architecture: Option<String>,
    /// Where this was read.
    pub evidence: Vec<Evidence>,
}

/// The program that configures a VM at its first start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agent {
    /// `cloud-init`, `ignition`, `coreos-cloudinit`, `cloudbase-init`, `bsd-cloudinit`, `nuageinit`.
    pub kind: String,
    /// The package's full version, or the program's own.
    pub version: Fact<String>,
    /// Is the version at least 0.7.7 by the rules of the package's family? Only asked of cloud-init.
    pub recent_enough: Fact<bool>,
    /// Does it run at boot?
    pub enabled: Fact<bool>,
    /// Why it does not run at boot, as a code: `disabled_file` (cloud-init.disabled), `masked`, `identify_policy`
    /// (ds-identify.cfg), `no_start_link`; `None` when it does.
    pub disabled_because: Option<String>,
    /// Where this was read, first what decides `enabled`.
    pub evidence: Vec<Evidence>,
}

/// cloud-init's list of datasources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Datasources {
    /// In the order in which they are tried.
    pub list: Vec<String>,
    /// The place that decided first (the built-in list of `settings.py` if no file names one), then those overruled.
    pub from: Vec<Evidence>,
    /// True when no configuration names a list and cloud-init's own default holds.
    pub built_in: bool,
}

/// The SSH server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sshd {
    /// Package state and program agree that it is there.
    pub installed: Fact<bool>,
    /// Started at boot, by a service or a socket.
    pub enabled: Fact<bool>,
    /// Why it is not started, as a code: `not_installed`, `masked`, `no_start_link`, `not_to_be_run`; `None` when
    /// it is.
    pub not_started_because: Option<String>,
    /// Where `installed` was read.
    pub installed_evidence: Vec<Evidence>,
    /// Where `enabled` was read.
    pub enabled_evidence: Vec<Evidence>,
}
