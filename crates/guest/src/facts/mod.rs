//! The facts about a disk, as the rules see them. What could not be read is [`Fact::Unknown`] and never guessed.

mod agent;
mod boot;
mod disk;
mod firewall;
mod leftovers;
mod network;
mod packages;
mod space;
mod sshd;
mod system;

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

pub use self::{
    agent::{
        Account, Agent, CloudInit, Datasources, Expected, Identify, Ignition, Instance, Login, OtherAgent, Setting,
        Shell, Switches,
    },
    boot::{
        Boot, BootEntry, BootLoader, DeviceFound, DevicePurpose, DeviceReference, DriverPlace, Drivers, FirmwareStart,
        Kernel, NamedBy, NoStart,
    },
    disk::{FoundSystem, Left, Mount, MountState, Partition, PartitionTable, Root, TableKind, TableProblem, Volume},
    firewall::{Filter, Firewall, Reach},
    leftovers::{AuthorizedKeys, Found, Leftovers, MachineId, MachineIdState},
    network::{Configurator, ConfiguratorKind, FixedName, Interface, InterfaceMatch, MatchBy, Network},
    packages::{DatabaseKind, PackageDatabase},
    space::{Grower, Space, Swap},
    sshd::{
        ConfigLine, ConfigProblem, HostKeys, Listed, MatchBlock, Sshd, SshdConfig, SshdLogin, SshdSetting, UserLogin,
    },
    system::System,
};

/// Something read off the disk, or the reason why it could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact<T> {
    /// Read off the disk.
    Known(T),
    /// Could not be read; never to be taken for a pass.
    Unknown(Unknown),
}

impl<T> Fact<T> {
    /// What is there for sure, as something that may not be there.
    pub(crate) fn some(self) -> Fact<Option<T>> {
        match self {
            Self::Known(value) => Fact::Known(Some(value)),
            Self::Unknown(unknown) => Fact::Unknown(unknown),
        }
    }
}

impl<T> From<Result<T, Unknown>> for Fact<T> {
    fn from(read: Result<T, Unknown>) -> Self {
        match read {
            Ok(value) => Self::Known(value),
            Err(unknown) => Self::Unknown(unknown),
        }
    }
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
        "boot_code_not_recognised",
        "boot_default_not_known",
        "built_in_list_not_read",
        "config_not_read",
        "datasource_not_predicted",
        "disk_not_read",
        "ext_corrupt",
        "ext_feature_not_read",
        "fat_corrupt",
        "file_compressed",
        "file_encrypted",
        "file_on_other_filesystem",
        "file_too_large",
        "filesystem_not_read",
        "filesystem_not_recognised",
        "firewall_not_certain",
        "initramfs_compression",
        "initramfs_corrupt",
        "initramfs_inside",
        "initramfs_too_large",
        "journal_dirty",
        "kernel_configuration_not_found",
        "kernel_version_not_known",
        "network_config_not_read",
        "no_system",
        "package_database_corrupt",
        "package_database_not_read",
        "partition_table_corrupt",
        "root_inside_layer",
        "service_start_not_known",
        "several_systems",
        "sshd_config_not_read",
        "sshd_not_installed",
        "start_condition_not_known",
        "system_unpacked_at_boot",
        "too_much_to_read",
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
    /// Everything that holds a filesystem or could hold one: the partitions, and what stands inside layers.
    pub volumes: Fact<Vec<Volume>>,
    /// The systems that were found, the chosen one among them.
    pub systems: Fact<Vec<FoundSystem>>,
    /// The filesystem that holds `/`; `None` when every filesystem could be judged and none is a root.
    pub root: Fact<Option<Root>>,
    /// What the system mounts at boot, and where it was found.
    pub mounts: Fact<Vec<Mount>>,
    /// The operating system; `None` when the root holds none that is recognised.
    pub system: Fact<Option<System>>,
    /// The package databases; empty where there is none.
    pub packages: Fact<Vec<PackageDatabase>>,
    /// The program that configures a VM at its first start; `None` when none is installed.
    pub agent: Fact<Option<Agent>>,
    /// Settings of a cloud-init that is not there (any more); `None` where there are none, or a program is there.
    pub removed_agent: Fact<Option<Evidence>>,
    /// cloud-init's effective list of datasources; `None` where there is no cloud-init.
    pub datasources: Fact<Option<Datasources>>,
    /// What else cloud-init is told to do; `None` where there is no cloud-init.
    pub cloud_init: Fact<Option<CloudInit>>,
    /// What Ignition will do; `None` where there is none.
    pub ignition: Fact<Option<Ignition>>,
    /// The name that a VM's SSH key is given to; `None` where no program does that.
    pub login: Fact<Option<Login>>,
    /// How the disk starts.
    pub boot: Boot,
    /// The SSH server.
    pub sshd: Fact<Sshd>,
    /// How the network is set up at boot.
    pub network: Fact<Network>,
    /// What keeps packets out.
    pub firewall: Fact<Firewall>,
    /// What the old machine left behind.
    pub leftovers: Fact<Leftovers>,
    /// Room on the disk.
    pub space: Fact<Space>,
}

impl Facts {
    /// Nothing is known, everything for the same reason.
    pub fn unread(reason: &Unknown) -> Self {
        Self {
            table: Fact::Unknown(reason.clone()),
            volumes: Fact::Unknown(reason.clone()),
            systems: Fact::Unknown(reason.clone()),
            root: Fact::Unknown(reason.clone()),
            mounts: Fact::Unknown(reason.clone()),
            system: Fact::Unknown(reason.clone()),
            packages: Fact::Unknown(reason.clone()),
            agent: Fact::Unknown(reason.clone()),
            removed_agent: Fact::Unknown(reason.clone()),
            datasources: Fact::Unknown(reason.clone()),
            cloud_init: Fact::Unknown(reason.clone()),
            ignition: Fact::Unknown(reason.clone()),
            login: Fact::Unknown(reason.clone()),
            boot: Boot::unread(reason),
            sshd: Fact::Unknown(reason.clone()),
            network: Fact::Unknown(reason.clone()),
            firewall: Fact::Unknown(reason.clone()),
            leftovers: Fact::Unknown(reason.clone()),
            space: Fact::Unknown(reason.clone()),
        }
    }
}
