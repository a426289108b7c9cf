//! The databases in which a system keeps what is installed.

use serde::{Deserialize, Serialize};

use super::Fact;

/// A package database.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageDatabase {
    /// Whose it is and how it is stored.
    pub kind: DatabaseKind,
    /// Absolute path inside the guest: a file, or the folder of a database in parts.
    pub path: String,
    /// How many packages are installed, counted as the family's own tool counts them (`rpm -qa` with its keys,
    /// `dpkg -l` without those whose files are gone).
    pub installed: Fact<usize>,
}

/// Whose package database it is and how it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseKind {
    /// Debian's `status` and `status.d`.
    Dpkg,
    /// OpenWrt's `status`, of the same form.
    Opkg,
    /// rpm since 4.16 on Fedora, EL 9 and newer.
    RpmSqlite,
    /// rpm on SUSE.
    RpmNdb,
    /// rpm up to EL 8: a hash table of Berkeley DB.
    RpmBerkeley,
    /// Alpine's `installed`.
    Apk,
    /// Arch Linux's `local`.
    Pacman,
    /// Gentoo's `/var/db/pkg`.
    Portage,
    /// FreeBSD's `local.sqlite`.
    FreebsdPkg,
    /// Slackware's folder of package descriptions.
    Slackware,
}

impl DatabaseKind {
    /// The code that stands for it in facts and parameters.
    pub fn code(self) -> &'static str {
        match self {
            Self::Dpkg => "dpkg",
            Self::Opkg => "opkg",
            Self::RpmSqlite => "rpm_sqlite",
            Self::RpmNdb => "rpm_ndb",
            Self::RpmBerkeley => "rpm_berkeley",
            Self::Apk => "apk",
            Self::Pacman => "pacman",
            Self::Portage => "portage",
            Self::FreebsdPkg => "freebsd_pkg",
            Self::Slackware => "slackware",
        }
    }
}
