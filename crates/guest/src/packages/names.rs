//! What the package of one program is called, family by family.

use super::DatabaseKind;

/// Names of the packages that bring a program, the likeliest first.
///
/// In Gentoo a name without category stands for every category; in FreeBSD `cloud-init` stands for `py311-cloud-init`
/// as well.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Names {
    /// Debian and OpenWrt.
    pub(crate) dpkg: &'static [&'static str],
    /// All of rpm's families.
    pub(crate) rpm: &'static [&'static str],
    /// Alpine.
    pub(crate) apk: &'static [&'static str],
    /// Arch Linux.
    pub(crate) pacman: &'static [&'static str],
    /// Gentoo.
    pub(crate) portage: &'static [&'static str],
    /// FreeBSD.
    pub(crate) freebsd: &'static [&'static str],
    /// Slackware.
    pub(crate) slackware: &'static [&'static str],
}

impl Names {
    /// The same names everywhere.
    pub(crate) const fn everywhere(names: &'static [&'static str]) -> Self {
        Self {
            dpkg: names,
            rpm: names,
            apk: names,
            pacman: names,
            portage: names,
            freebsd: names,
            slackware: names,
        }
    }

    /// The names in one kind of database.
    pub(super) fn of(&self, kind: DatabaseKind) -> &'static [&'static str] {
        match kind {
            DatabaseKind::Dpkg | DatabaseKind::Opkg => self.dpkg,
            DatabaseKind::RpmSqlite | DatabaseKind::RpmNdb | DatabaseKind::RpmBerkeley => self.rpm,
            DatabaseKind::Apk => self.apk,
            DatabaseKind::Pacman => self.pacman,
            DatabaseKind::Portage => self.portage,
            DatabaseKind::FreebsdPkg => self.freebsd,
            DatabaseKind::Slackware => self.slackware,
        }
    }
}

/// Does a package's name in a database stand for a wanted one?
pub(super) fn means(kind: DatabaseKind, name: &str, wanted: &str) -> bool {
    name == wanted
        || match kind {
            DatabaseKind::Portage => name.split_once('/').is_some_and(|(_, package)| package == wanted),
            DatabaseKind::FreebsdPkg => without_python(name) == Some(wanted),
            _ => false,
        }
}

/// FreeBSD's ports of Python modules are named by the release of Python that they are for (`py311-`).
fn without_python(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("py")?;
    let (release, rest) = rest.split_once('-')?;
    (!release.is_empty() && release.bytes().all(|byte| byte.is_ascii_digit())).then_some(rest)
}
