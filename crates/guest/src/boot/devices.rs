//! Every device that is named where the system starts: on the command line, in fstab and in crypttab.

use crate::{
    Evidence,
    facts::{BootEntry, DeviceFound, DevicePurpose, DeviceReference, Mount, MountState, NamedBy},
    files::{Files, Read},
    volumes::{Found, Volumes},
};

/// Where crypttab(5) stands, and how much of it is read.
const CRYPTTAB: &str = "/etc/crypttab";
const CRYPTTAB_LIMIT: usize = 1 << 20;

/// References that are told, at most.
const MAX_REFERENCES: usize = 256;

/// All references, those of the boot entry first.
pub(super) fn read(
    files: &Files<'_>,
    volumes: &Volumes,
    mounts: &[Mount],
    entry: Option<&BootEntry>,
) -> Read<Vec<DeviceReference>> {
    let mut references = Vec::new();
    if let Some(entry) = entry {
        for (parameter, purpose) in [
            ("root", DevicePurpose::Root),
            ("real_root", DevicePurpose::Root),
            ("resume", DevicePurpose::Resume),
        ] {
            for name in entry.parameters(parameter) {
                // Gentoo's root=/dev/ram0 is the initramfs itself; "none" turns resuming off.
                if name.is_empty() || name == "/dev/ram0" || name == "none" {
                    continue;
                }
                let evidence = entry.evidence.last().cloned().unwrap_or_default();
                let evidence = evidence.value(&format!("{parameter}={name}"));
                references.push(reference(volumes, purpose, name, false, evidence));
            }
        }
    }
    for mount in mounts {
        if mount.state == MountState::Virtual
            || mount
                .options
                .split(',')
                .any(|option| option == "bind" || option == "rbind")
        {
            continue;
        }
        let purpose = if mount.filesystem == "swap" {
            DevicePurpose::Swap
        } else {
            DevicePurpose::Mount
        };
        let optional = mount
            .options
            .split(',')
            .any(|option| ["nofail", "noauto", "x-systemd.automount"].contains(&option));
        // A swap file is no device.
        if mount.source.starts_with('/') && !mount.source.starts_with("/dev/") {
            continue;
        }
        references.push(reference(
            volumes,
            purpose,
            &mount.source,
            optional,
            mount.evidence.clone(),
        ));
    }
    let crypttab = files.read_text(CRYPTTAB, CRYPTTAB_LIMIT)?.unwrap_or_default();
    for (number, line) in (1..).zip(crypttab.lines()) {
        let line = line.trim();
        let mut fields = line.split_ascii_whitespace();
        let (Some(name), Some(source)) = (fields.next(), fields.next()) else {
            continue;
        };
        if name.starts_with('#') {
            continue;
        }
        // Where the key stands is nobody's business, only whether there is one (crypttab(5)).
        let key = fields.next().unwrap_or("none");
        let options = fields.next().unwrap_or_default();
        let optional = options
            .split(',')
            .any(|option| option == "nofail" || option == "noauto");
        // A chip of the old machine (`tpm2-device=`) is not in a VM: then it asks after all.
        let by_program = options.split(',').any(|option| option.starts_with("keyscript="));
        let evidence = Evidence::path(CRYPTTAB).line(number).value(&format!("{name} {source}"));
        references.push(DeviceReference {
            asks_passphrase: ["none", "-"].contains(&key) && !by_program,
            ..reference(volumes, DevicePurpose::Encrypted, source, optional, evidence)
        });
    }
    references.truncate(MAX_REFERENCES);
    Ok(references)
}

fn reference(
    volumes: &Volumes,
    purpose: DevicePurpose,
    name: &str,
    optional: bool,
    evidence: Evidence,
) -> DeviceReference {
    let found = match volumes.find(name) {
        Found::One(_) => DeviceFound::Yes,
        Found::Several => DeviceFound::Several,
        Found::None => DeviceFound::No,
        Found::NotFollowed => DeviceFound::NotFollowed,
    };
    let by = named_by(name);
    DeviceReference {
        purpose,
        name: name.to_owned(),
        by,
        found: match by {
            NamedBy::Network | NamedBy::Hardware | NamedBy::Other => DeviceFound::NotFollowed,
            _ => found,
        },
        optional,
        asks_passphrase: false,
        evidence,
    }
}

/// How a name tells its device.
fn named_by(name: &str) -> NamedBy {
    let starts = |starts: &[&str]| starts.iter().any(|start| name.starts_with(start));
    if starts(&["UUID=", "/dev/disk/by-uuid/"]) {
        return NamedBy::Uuid;
    }
    if starts(&["LABEL=", "/dev/disk/by-label/"]) {
        return NamedBy::Label;
    }
    if starts(&["PARTUUID=", "/dev/disk/by-partuuid/"]) {
        return NamedBy::PartUuid;
    }
    if starts(&["PARTLABEL=", "/dev/disk/by-partlabel/"]) {
        return NamedBy::PartLabel;
    }
    if starts(&["/dev/disk/"]) {
        return NamedBy::Hardware;
    }
    if starts(&[
        "/dev/nfs",
        "nfs:",
        "nfs4:",
        "dhcp",
        "iscsi:",
        "nbd:",
        "live:http",
        "cifs:",
        "//",
    ]) {
        return NamedBy::Network;
    }
    let Some(device) = name.strip_prefix("/dev/") else {
        // fstab(5): `server:/export`.
        return if name.contains(":/") {
            NamedBy::Network
        } else {
            NamedBy::Other
        };
    };
    let order = |prefix: &str| {
        device
            .strip_prefix(prefix)
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()))
    };
    if [
        "sd", "hd", "vd", "xvd", "nvme", "mmcblk", "ubd", "dasd", "nda", "ada", "da",
    ]
    .iter()
    .any(|prefix| order(prefix))
    {
        NamedBy::KernelName
    } else if order("md") || device.starts_with("md/") {
        NamedBy::Raid
    } else if device.contains('/') || order("dm-") {
        NamedBy::Mapper
    } else {
        NamedBy::Other
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart() {
        for (name, by) in [
            ("UUID=1-2", NamedBy::Uuid),
            ("/dev/disk/by-label/root", NamedBy::Label),
            ("PARTUUID=x-01", NamedBy::PartUuid),
            ("/dev/sda1", NamedBy::KernelName),
            ("/dev/xvda", NamedBy::KernelName),
            ("/dev/nvme0n1p2", NamedBy::KernelName),
            ("/dev/mapper/vg-root", NamedBy::Mapper),
            ("/dev/vg/root", NamedBy::Mapper),
            ("/dev/md0", NamedBy::Raid),
            ("/dev/disk/by-path/pci-0000", NamedBy::Hardware),
            ("192.0.2.1:/srv/nfs", NamedBy::Network),
            ("nfs:192.0.2.1:/srv", NamedBy::Network),
            ("//server/share", NamedBy::Network),
            ("ZFS=rpool/ROOT", NamedBy::Other),
        ] {
            assert_eq!(named_by(name), by, "{name}");
        }
    }
}
