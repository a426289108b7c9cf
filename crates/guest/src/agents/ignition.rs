//! Ignition: it runs once, from the initramfs, where a switch of the boot configuration says that this is the first start.

use super::Enabled;
use crate::{
    Evidence, Fact, Unknown,
    cloud_init::Around,
    facts::{Agent, Ignition},
    files::{Files, Read},
};

/// What shows that it is there: the initramfs is made of these files.
pub(super) const PATHS: &[&str] = &[
    "/usr/lib/dracut/modules.d/30ignition/ignition",
    "/usr/lib/dracut/modules.d/30ignition",
    "/usr/lib/ignition",
    "/usr/share/ignition",
    "/usr/bin/ignition",
    "/usr/libexec/ignition",
];

/// Fedora CoreOS's switch: its boot loader asks for the file, and Ignition removes it.
const FIRST_BOOT: &[&str] = &[
    "/boot/ignition.firstboot",
    "/boot/flatcar/first_boot",
    "/boot/coreos/first_boot",
];

/// openSUSE MicroOS's switch, the other way round.
const HAPPENED: &str = "/boot/writable/firstboot_happened";

/// Words of the kernel's command line that tell of the first start.
const WORDS: &[&str] = &[
    "ignition.firstboot",
    "ignition.firstboot=1",
    "flatcar.first_boot=1",
    "flatcar.first_boot=detected",
    "coreos.first_boot=1",
];

/// Words that name the platform, on which Ignition looks for its settings.
const PLATFORM: &[&str] = &["ignition.platform.id=", "flatcar.oem.id=", "coreos.oem.id="];

/// Largest settings of a boot loader that are read, in bytes.
const LIMIT: usize = 1 << 20;

/// Does it act at the next start?
pub(super) fn enabled(files: &Files<'_>, around: &Around<'_>) -> Read<Enabled> {
    for path in FIRST_BOOT {
        if files.stat(path)?.is_some() {
            return Ok((None, vec![Evidence::path(*path)]));
        }
    }
    if let Some(line) = &around.command_line {
        let word = line.text.split_ascii_whitespace().find(|word| WORDS.contains(word));
        if let Some(word) = word {
            return Ok((None, vec![line.evidence.clone().value(word)]));
        }
    }
    if files.stat(HAPPENED)?.is_some() {
        return Ok((Some("first_boot_over"), vec![Evidence::path(HAPPENED)]));
    }
    // Fedora CoreOS's own boot loader asks for the file that is not there.
    for path in ["/boot/grub2/grub.cfg", "/boot/grub/grub.cfg"] {
        let text = files.read_text(path, LIMIT)?.unwrap_or_default();
        if let Some((number, _)) = (1..)
            .zip(text.lines())
            .find(|(_, line)| line.contains("ignition.firstboot"))
        {
            return Ok((Some("first_boot_over"), vec![Evidence::path(path).line(number)]));
        }
    }
    Err(Unknown::new("agent_start_not_known").with("agent", "ignition"))
}

/// The program inside the initramfs; the files that it is made of need not be on the root.
const IN_INITRAMFS: &str = "usr/bin/ignition";

/// What stands in the initramfs only; asked where the boot configuration has a word for Ignition, for unpacking costs more
/// than all other files.
pub(super) fn inside_initramfs(files: &Files<'_>, around: &Around<'_>) -> Read<Option<Agent>> {
    let (Some(line), Some(started)) = (&around.command_line, around.started) else {
        return Ok(None);
    };
    let is_about_it = |word: &str| word.starts_with("ignition.") || WORDS.contains(&word);
    let Some(word) = line.text.split_ascii_whitespace().find(|word| is_about_it(word)) else {
        return Ok(None);
    };
    if !started.initramfs_has(IN_INITRAMFS)? {
        return Ok(None);
    }
    let unknown = Unknown::new("version_not_known");
    let (enabled, disabled_because, mut evidence) = match enabled(files, around) {
        Ok((because, evidence)) => (Fact::Known(because.is_none()), because.map(str::to_owned), evidence),
        Err(unknown) => (Fact::Unknown(unknown), None, Vec::new()),
    };
    evidence.push(line.evidence.clone().value(word));
    Ok(Some(Agent {
        kind: "ignition".to_owned(),
        version: Fact::Unknown(unknown.clone()),
        recent_enough: Fact::Unknown(unknown),
        enabled,
        disabled_because,
        evidence,
        others: Vec::new(),
    }))
}

/// What Ignition will look for on a VM.
pub(crate) fn read(files: &Files<'_>, around: &Around<'_>) -> Read<Ignition> {
    let mut platform = None;
    if let Some(line) = &around.command_line {
        let words = line.text.split_ascii_whitespace();
        let mut named =
            words.filter_map(|word| Some((word, PLATFORM.iter().find_map(|name| word.strip_prefix(name))?)));
        platform = named
            .next_back()
            .map(|(word, id)| (id.to_owned(), line.evidence.clone().value(word)));
    }
    if platform.is_none() {
        for path in ["/oem/grub.cfg", "/usr/share/oem/grub.cfg"] {
            let text = files.read_text(path, LIMIT)?.unwrap_or_default();
            let named = (1..).zip(text.lines()).filter_map(|(number, line)| {
                let id = line.trim().strip_prefix("set oem_id=")?.trim_matches(['"', '\'']);
                Some((
                    id.to_owned(),
                    Evidence::path(path).line(number).value(&format!("oem_id={id}")),
                ))
            });
            platform = platform.or(named.last());
        }
    }
    let (platform, from) = match platform {
        Some((id, evidence)) => (Some(id), Some(evidence)),
        None => (None, None),
    };
    Ok(Ignition { platform, from })
}
