//! The boot loaders' configurations: which there are, and the entry that is started by default.

use super::{
    bls,
    entry::Parsed,
    grub::{self, Variables},
    menus,
    place::Base,
};
use crate::{Unknown, files::Read};

/// Largest configuration that is read, in bytes; a grub.cfg of many kernels has 100 KiB.
const LIMIT: usize = 1 << 20;

/// Entries of the Boot Loader Specification that are read, at most.
const MAX_ENTRIES: usize = 128;

/// Directories of vendors on an EFI system partition that are looked at, at most.
const MAX_VENDORS: usize = 32;

/// A configuration.
#[derive(Clone)]
pub(super) struct Configuration<'a> {
    /// As in [`crate::facts::BootLoader::kind`].
    pub(super) loader: &'static str,
    pub(super) base: Base<'a>,
    /// The file.
    pub(super) path: String,
}

/// What a configuration starts.
pub(super) struct Choice {
    pub(super) parsed: Parsed,
    /// The file in which the entry stands.
    pub(super) path: String,
}

impl Configuration<'_> {
    fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// The directory to which a path without a slash at its beginning refers.
    pub(super) fn relative_to(&self) -> &str {
        self.folder().strip_prefix(&self.base.folder).unwrap_or_default()
    }

    /// The entry that is started; `None` when the configuration has none.
    pub(super) fn choice(&self, bases: &[Base<'_>]) -> Read<Option<Choice>> {
        let tree = self.base.tree;
        let text = tree.read_text(&self.path, LIMIT)?.unwrap_or_default();
        let parsed = match self.loader {
            "grub" => return self.grub(&text, bases),
            "systemd_boot" => {
                let entries = entries(&self.base, &Variables::new())?;
                let chosen = bls::chosen_by_systemd(&text, entries);
                return Ok(chosen.map(|entry| of_entry(&self.base, entry.parsed, &entry.id)));
            }
            "syslinux" => menus::syslinux(&text),
            "grub_legacy" => menus::grub_legacy(&text),
            _ => menus::lilo(&text),
        };
        Ok(parsed.map(|parsed| self.of(parsed)))
    }

    fn of(&self, parsed: Parsed) -> Choice {
        Choice {
            parsed,
            path: self.path.clone(),
        }
    }

    fn grub(&self, text: &str, bases: &[Base<'_>]) -> Read<Option<Choice>> {
        let path = format!("{}/grubenv", self.folder());
        let environment = self.base.tree.read_text(&path, LIMIT)?;
        let environment = environment.map(|text| grub::environment(&text));
        let menu = grub::run(text, environment.as_ref());
        // A grub.cfg on the ESP reads the entries in /boot.
        let mut place = &self.base;
        let mut found = Vec::new();
        if menu.blscfg.is_some() {
            for base in std::iter::once(&self.base).chain(bases) {
                found = entries(base, &menu.variables)?;
                place = base;
                if !found.is_empty() {
                    break;
                }
            }
        }
        let mut entries = found;
        bls::sort_as_grub(&mut entries);
        let bls: Vec<(String, Parsed)> = entries.into_iter().map(|entry| (entry.id, entry.parsed)).collect();
        if menu.is_uncertain() {
            return Err(Unknown::new("boot_default_not_known"));
        }
        let Some(parsed) = menu.chosen(&bls) else {
            return Ok(None);
        };
        let entry = bls.iter().find(|(_, of_entry)| *of_entry == parsed);
        Ok(Some(match entry {
            Some((id, _)) => of_entry(place, parsed, id),
            None => self.of(parsed),
        }))
    }
}

fn of_entry(base: &Base<'_>, parsed: Parsed, id: &str) -> Choice {
    Choice {
        parsed,
        path: format!("{}/{id}.conf", entries_folder(base)),
    }
}

/// All configurations, the usual ones first.
pub(super) fn configurations<'a>(bases: &[Base<'a>]) -> Read<Vec<Configuration<'a>>> {
    const FILES: &[(&str, &str)] = &[
        ("grub", "/grub/grub.cfg"),
        ("grub", "/grub2/grub.cfg"),
        ("systemd_boot", "/loader/loader.conf"),
        ("syslinux", "/extlinux/extlinux.conf"),
        ("syslinux", "/extlinux.conf"),
        ("syslinux", "/syslinux/extlinux.conf"),
        ("syslinux", "/syslinux/syslinux.cfg"),
        ("syslinux", "/syslinux.cfg"),
        ("grub_legacy", "/grub/grub.conf"),
        ("grub_legacy", "/grub/menu.lst"),
        ("lilo", "/etc/lilo.conf"),
    ];
    let mut found: Vec<Configuration<'a>> = Vec::new();
    let mut failure = None;
    let mut add = |loader, base: &Base<'a>, path: String| match base.tree.is_file(&path) {
        Ok(true) => found.push(Configuration {
            loader,
            base: base.clone(),
            path,
        }),
        Ok(false) => {}
        Err(unknown) => _ = failure.get_or_insert(unknown),
    };
    for (loader, file) in FILES {
        for base in bases {
            add(loader, base, format!("{}{file}", base.folder));
        }
    }
    // The whole menu of Fedora before 34 and of RHEL before 9 stands on the ESP; others have a few lines there that lead
    // to the menu above.
    for base in bases {
        let folder = format!("{}/EFI", base.folder);
        for vendor in base
            .tree
            .list(&folder)
            .unwrap_or_default()
            .into_iter()
            .take(MAX_VENDORS)
        {
            add("grub", base, format!("{folder}/{vendor}/grub.cfg"));
        }
    }
    // Entries without a loader.conf are systemd-boot's, if no GRUB reads them.
    if found.is_empty() {
        for base in bases {
            let folder = entries_folder(base);
            if base.tree.list(&folder).is_ok_and(|names| !names.is_empty()) {
                found.push(Configuration {
                    loader: "systemd_boot",
                    base: base.clone(),
                    path: format!("{}/loader/loader.conf", base.folder),
                });
            }
        }
    }
    match failure {
        Some(unknown) if found.is_empty() => Err(unknown),
        _ => Ok(found),
    }
}

fn entries_folder(base: &Base<'_>) -> String {
    format!("{}/loader/entries", base.folder)
}

fn entries(base: &Base<'_>, variables: &Variables) -> Read<Vec<bls::Entry>> {
    let folder = entries_folder(base);
    let names = base.tree.list(&folder)?;
    let mut entries = Vec::new();
    let ids = names.iter().filter_map(|name| name.strip_suffix(".conf"));
    for id in ids.take(MAX_ENTRIES) {
        if let Some(text) = base.tree.read_text(&format!("{folder}/{id}.conf"), LIMIT)? {
            entries.push(bls::entry(id, &text, variables));
        }
    }
    Ok(entries)
}
