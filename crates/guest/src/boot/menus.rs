//! The plain menus: SYSLINUX and EXTLINUX, GRUB Legacy, LILO.

use super::entry::Parsed;

/// Entries of a menu, at most.
const MAX_ENTRIES: usize = 1000;

/// What SYSLINUX starts by default (syslinux wiki, "Config"). `include` gives the text of an included file, by its path.
pub(super) fn syslinux(text: &str) -> Option<Parsed> {
    let mut default = None;
    let mut labels: Vec<(String, Parsed)> = Vec::new();
    let mut marked = None;
    let mut global = String::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim();
        let (key, value) = line
            .split_once(|c: char| c.is_ascii_whitespace())
            .map_or((line, ""), |(key, value)| (key, value.trim()));
        let count = labels.len();
        let current = labels.last_mut().map(|(_, parsed)| parsed);
        match (key.to_ascii_lowercase().as_str(), current) {
            ("default", _) => default = Some(value.to_owned()),
            ("label", _) if count < MAX_ENTRIES => labels.push((
                value.to_owned(),
                Parsed {
                    title: Some(value.to_owned()),
                    line: number,
                    ..Parsed::default()
                },
            )),
            ("menu", Some(parsed)) => match value.split_once(|c: char| c.is_ascii_whitespace()) {
                Some((word, title)) if word.eq_ignore_ascii_case("label") => {
                    parsed.title = Some(title.trim().replace('^', ""));
                }
                _ if value.eq_ignore_ascii_case("default") => marked = Some(count - 1),
                _ => {}
            },
            ("kernel" | "linux", Some(parsed)) => parsed.kernel = Some(value.to_owned()),
            ("initrd", Some(parsed)) => parsed.initramfs = value.split(',').map(str::to_owned).collect(),
            ("append", Some(parsed)) => {
                value.clone_into(&mut parsed.options);
                parsed.options_line = Some(number);
            }
            ("append", None) => value.clone_into(&mut global),
            _ => {}
        }
    }
    let named = default
        .as_deref()
        .and_then(|default| labels.iter().position(|(label, _)| label.eq_ignore_ascii_case(default)));
    // "default" may name a menu's program instead of a label; the menu then takes what is marked, or the first.
    let at = marked.or(named).unwrap_or(0);
    let (_, mut parsed) = labels.into_iter().nth(at)?;
    if parsed.options_line.is_none() {
        parsed.options = global;
    } else if parsed.options == "-" {
        parsed.options.clear();
    }
    // initrd= is how older ones name it, and the loader itself reads it.
    if parsed.initramfs.is_empty() {
        let named = parsed.options.split_ascii_whitespace();
        let named = named.filter_map(|word| word.strip_prefix("initrd=")).next_back();
        parsed.initramfs = named
            .map(|paths| paths.split(',').map(str::to_owned).collect())
            .unwrap_or_default();
    }
    Some(parsed)
}

/// What GRUB Legacy starts by default (GNU GRUB 0.97 manual, "Configuration").
pub(super) fn grub_legacy(text: &str) -> Option<Parsed> {
    let mut default = 0;
    let mut entries: Vec<Parsed> = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.trim();
        let Some((key, value)) = line.split_once(|c: char| c.is_ascii_whitespace() || c == '=') else {
            continue;
        };
        let value = value.trim_start_matches(['=', ' ', '\t']).trim();
        let count = entries.len();
        match (key, entries.last_mut()) {
            // "saved" is a number that stands in a file of its own, or the first entry.
            ("default", None) => default = value.parse().unwrap_or(0),
            ("title", _) if count < MAX_ENTRIES => entries.push(Parsed {
                title: Some(value.to_owned()),
                line: number,
                ..Parsed::default()
            }),
            ("kernel", Some(parsed)) => {
                let mut words = value.split_ascii_whitespace().skip_while(|word| word.starts_with("--"));
                parsed.kernel = words.next().map(without_device);
                parsed.options = words.collect::<Vec<_>>().join(" ");
                parsed.options_line = Some(number);
            }
            ("initrd" | "module", Some(parsed)) => {
                parsed.initramfs = value.split_ascii_whitespace().map(without_device).collect();
            }
            _ => {}
        }
    }
    let at = if default < entries.len() { default } else { 0 };
    entries.into_iter().nth(at)
}

/// `(hd0,0)/vmlinuz` is `/vmlinuz` of that partition.
fn without_device(path: &str) -> String {
    let inner = path.strip_prefix('(').and_then(|rest| rest.split_once(')'));
    inner.map_or(path, |(_, path)| path).to_owned()
}

/// What LILO starts by default (lilo.conf(5)).
pub(super) fn lilo(text: &str) -> Option<Parsed> {
    let mut default = None;
    let mut global: Vec<(String, String)> = Vec::new();
    let mut images: Vec<(Parsed, Vec<(String, String)>)> = Vec::new();
    for (number, line) in (1_u32..).zip(text.lines()) {
        let line = line.split('#').next().unwrap_or_default().trim();
        let (key, value) = line.split_once('=').unwrap_or((line, ""));
        let (key, value) = (key.trim(), value.trim().trim_matches('"').to_owned());
        if key == "image" && images.len() < MAX_ENTRIES {
            let parsed = Parsed {
                kernel: Some(value),
                line: number,
                ..Parsed::default()
            };
            images.push((parsed, Vec::new()));
        } else if key == "default" {
            default = Some(value);
        } else if let Some((parsed, options)) = images.last_mut() {
            match key {
                "label" => parsed.title = Some(value),
                "append" | "addappend" => {
                    parsed.options_line = Some(number);
                    options.push((key.to_owned(), value));
                }
                _ => options.push((key.to_owned(), value)),
            }
        } else {
            global.push((key.to_owned(), value));
        }
    }
    let named = images
        .iter()
        .position(|(parsed, _)| parsed.title == default && default.is_some());
    let (mut parsed, options) = images.into_iter().nth(named.unwrap_or(0))?;
    let value = |key: &str| {
        let all = options.iter().rev().chain(global.iter().rev());
        all.into_iter()
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.clone())
    };
    parsed.initramfs = value("initrd").into_iter().collect();
    let root = value("root").map(|root| format!("root={root}"));
    let mode = ["read-only", "read-write"]
        .into_iter()
        .find(|mode| value(mode).is_some())
        .map(|mode| if mode == "read-only" { "ro" } else { "rw" }.to_owned());
    let words = [root, mode, value("append"), value("addappend")];
    parsed.options = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Some(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As Alpine's update-extlinux writes it.
    #[test]
    fn extlinux_starts_its_default() {
        let text = "SERIAL 0 115200\nDEFAULT menu.c32\nPROMPT 0\nMENU TITLE Alpine/Linux Boot Menu\nTIMEOUT 10\n\
                    LABEL lts\n  MENU DEFAULT\n  MENU LABEL Linux lts\n  LINUX vmlinuz-virt\n  INITRD initramfs-virt\n\
                    \x20 APPEND root=UUID=5cf8 modules=sd-mod,usb-storage,ext4 quiet rootfstype=ext4\n\
                    LABEL old\n  LINUX vmlinuz-old\n";
        let parsed = syslinux(text).unwrap();
        assert_eq!(parsed.title.as_deref(), Some("Linux lts"));
        assert_eq!(parsed.kernel.as_deref(), Some("vmlinuz-virt"));
        assert_eq!(parsed.initramfs, ["initramfs-virt"]);
        assert_eq!(
            parsed.options,
            "root=UUID=5cf8 modules=sd-mod,usb-storage,ext4 quiet rootfstype=ext4"
        );
        assert_eq!((parsed.line, parsed.options_line), (6, Some(11)));
        let old = syslinux(&text.replace("  MENU DEFAULT\n", "").replace("menu.c32", "OLD")).unwrap();
        assert_eq!(
            old.kernel.as_deref(),
            Some("vmlinuz-old"),
            "labels are compared without regard to case"
        );
        let append = "default l\nappend quiet\nlabel l\nkernel /k\n";
        assert_eq!(syslinux(append).unwrap().options, "quiet");
        let initrd = "label l\nkernel /k\nappend initrd=/a.img,/b.img ro\n";
        assert_eq!(syslinux(initrd).unwrap().initramfs, ["/a.img", "/b.img"]);
        assert_eq!(syslinux("timeout 1\n"), None);
    }

    /// As CentOS 6 writes it.
    #[test]
    fn grub_legacy_counts_from_0() {
        let text = "#boot=/dev/sda\ndefault=1\ntimeout=5\nhiddenmenu\ntitle CentOS (2.6.32-754)\n\troot (hd0,0)\n\
                    \tkernel /vmlinuz-2.6.32-754 ro root=/dev/sda1\n\tinitrd /initramfs-2.6.32-754.img\n\
                    title old\n\tkernel --no-mem-option (hd0,0)/vmlinuz-old ro console=ttyS0\n";
        let parsed = grub_legacy(text).unwrap();
        assert_eq!(parsed.kernel.as_deref(), Some("/vmlinuz-old"));
        assert_eq!(parsed.options, "ro console=ttyS0");
        let first = grub_legacy(&text.replace("default=1", "default saved")).unwrap();
        assert_eq!(first.options, "ro root=/dev/sda1");
        assert_eq!(first.initramfs, ["/initramfs-2.6.32-754.img"]);
        assert_eq!(first.options_line, Some(7));
    }

    #[test]
    fn lilo_takes_its_default_label() {
        let text = "boot=/dev/sda\nroot=/dev/sda1\nread-only\ndefault=Linux\nimage=/vmlinuz.old\n\tlabel=Old\n\
                    image=/vmlinuz # new\n\tlabel=Linux\n\tinitrd=/initrd.img\n\tappend=\"console=ttyS0\"\n";
        let parsed = lilo(text).unwrap();
        assert_eq!(parsed.kernel.as_deref(), Some("/vmlinuz"));
        assert_eq!(parsed.initramfs, ["/initrd.img"]);
        assert_eq!(parsed.options, "root=/dev/sda1 ro console=ttyS0");
        assert_eq!(lilo("boot=/dev/sda\n"), None);
    }
}
