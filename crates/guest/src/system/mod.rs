//! Which operating system a root holds: os-release, the release files of systems older than it, and the machine of its
//! init program.

mod program;
mod unread;

pub(crate) use self::unread::of_unread;
use crate::{
    Evidence, Fact, FileTree,
    facts::System,
    files::{Files, Read},
    services,
};

/// Largest release file that is read, in bytes; real ones have less than 1 KiB.
const RELEASE_LIMIT: usize = 64 << 10;

/// Where os-release stands, the first one wins (os-release(5)).
const OS_RELEASE: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];

/// Files whose first line is `PRODUCT release VERSION (NAME)`, the distribution's own before the ones that it copies.
const RED_HAT_RELEASES: &[&str] = &[
    "/etc/centos-release",
    "/etc/oracle-release",
    "/etc/fedora-release",
    "/etc/redhat-release",
    "/etc/system-release",
];

/// Products by the start of their names, and their `ID` in os-release.
const PRODUCTS: &[(&str, &str)] = &[
    ("CentOS", "centos"),
    ("Red Hat Enterprise", "rhel"),
    ("Scientific", "scientific"),
    ("Oracle", "ol"),
    ("Enterprise Linux Enterprise", "ol"),
    ("Fedora", "fedora"),
    ("Amazon", "amzn"),
    ("CloudLinux", "cloudlinux"),
    ("AlmaLinux", "almalinux"),
    ("Rocky", "rocky"),
];

/// Files that hold a version and nothing else, and whose they are.
const VERSION_FILES: &[(&str, &str)] = &[
    ("/etc/alpine-release", "alpine"),
    ("/etc/slackware-version", "slackware"),
    ("/etc/gentoo-release", "gentoo"),
    ("/etc/arch-release", "arch"),
    ("/etc/debian_version", "debian"),
];

/// The operating system of a single filesystem. For tests and measurements; a disk is read by [`crate::examine()`].
pub fn of_tree(tree: &dyn FileTree) -> Fact<Option<System>> {
    read(&Files::joined(tree, "", &[])).into()
}

/// Reads the operating system off its root; `None` if it is not recognised.
pub(crate) fn read(files: &Files<'_>) -> Read<Option<System>> {
    let Some(mut system) = release(files)? else {
        return Ok(None);
    };
    if let Some(program) = program::read(files) {
        system.architecture = Some(program.machine.to_owned());
        system.bits = Some(program.bits);
        system.libc = program.libc.map(str::to_owned);
        system.evidence.push(program.place);
    }
    Ok(Some(system))
}

fn release(files: &Files<'_>) -> Read<Option<System>> {
    // CirrOS' own os-release is that of Buildroot, which it is made with.
    if let Some((version, place)) = first_line(files, "/etc/cirros/version")? {
        let name = format!("CirrOS {version}");
        return Ok(Some(linux(Some("cirros"), Some(&version), Some(&name), place)));
    }
    for path in OS_RELEASE {
        if let Some(text) = files.read_text(path, RELEASE_LIMIT)? {
            let mut system = from_os_release(path, &text);
            // Debian's testing release has no number; its file says which one it will be.
            if system.version.is_none()
                && system.distribution.as_deref() == Some("debian")
                && let Some((version, place)) = first_line(files, "/etc/debian_version")?
            {
                system.version = Some(version);
                system.evidence.push(place);
            }
            return Ok(Some(system));
        }
    }
    if let Some(system) = from_lsb_release(files)? {
        return Ok(Some(system));
    }
    for path in RED_HAT_RELEASES {
        if let Some((line, place)) = first_line(files, path)? {
            return Ok(Some(from_red_hat_release(&line, place)));
        }
    }
    if let Some(text) = files.read_text("/etc/SuSE-release", RELEASE_LIMIT)? {
        return Ok(Some(from_suse_release(&text)));
    }
    for (path, id) in VERSION_FILES {
        if files.stat(path)?.is_some() {
            let (line, place) = first_line(files, path)?.unwrap_or_else(|| (String::new(), Evidence::path(*path)));
            // `Slackware 14.2`, `Gentoo Base System release 2.2`; Arch's is empty.
            let version = line.split_whitespace().next_back();
            let name = line.contains(' ').then_some(line.as_str());
            return Ok(Some(linux(Some(id), version, name, place)));
        }
    }
    from_bsd(files)
}

/// The first line of a file with its place; `None` for an empty file as well.
fn first_line(files: &Files<'_>, path: &str) -> Read<Option<(String, Evidence)>> {
    let text = files.read_text(path, RELEASE_LIMIT)?.unwrap_or_default();
    let line = shorten(text.lines().next().unwrap_or_default().trim());
    let place = Evidence::path(path).line(1).value(&line);
    Ok((!line.is_empty()).then_some((line, place)))
}

fn linux(distribution: Option<&str>, version: Option<&str>, name: Option<&str>, evidence: Evidence) -> System {
    System {
        distribution: distribution.map(str::to_owned),
        version: version.map(str::to_owned),
        name: name.map(str::to_owned),
        evidence: vec![evidence],
        ..System::of_family("linux")
    }
}

fn from_os_release(path: &str, text: &str) -> System {
    let field = |wanted: &str| {
        let numbered = text.lines().zip(1_u32..).filter_map(|(line, number)| {
            let (key, value) = line.trim().split_once('=')?;
            (key == wanted).then(|| (shorten(&unquote(value)), number, line.trim()))
        });
        // As in a shell, the last assignment holds.
        numbered.last().filter(|(value, ..)| !value.is_empty())
    };
    let id = field("ID");
    let evidence = match field("PRETTY_NAME").as_ref().or(id.as_ref()) {
        Some((_, line, text)) => Evidence::path(path).line(*line).value(text),
        None => Evidence::path(path),
    };
    // "If not set, defaults to `ID=linux`" (os-release(5)).
    let id = id.map_or_else(|| "linux".to_owned(), |(id, ..)| id);
    System {
        like: field("ID_LIKE")
            .map(|(like, ..)| like.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        version: field("VERSION_ID").map(|(version, ..)| version),
        name: field("PRETTY_NAME").map(|(name, ..)| name),
        variant: field("VARIANT_ID").map(|(variant, ..)| variant),
        evidence: vec![evidence],
        ..System {
            distribution: Some(id.clone()),
            ..System::of_family(family(&id))
        }
    }
}

/// `DISTRIB_ID=Ubuntu` and its like; Red Hat's file of this name holds other things.
fn from_lsb_release(files: &Files<'_>) -> Read<Option<System>> {
    const PATH: &str = "/etc/lsb-release";
    let text = files.read_text(PATH, RELEASE_LIMIT)?.unwrap_or_default();
    let set = services::assignments(PATH, &text);
    let field = |wanted: &str| {
        let found = set
            .iter()
            .rfind(|(name, variable)| name == wanted && !variable.value.is_empty());
        found.map(|(_, variable)| variable)
    };
    let Some(id) = field("DISTRIB_ID") else { return Ok(None) };
    let name = field("DISTRIB_DESCRIPTION");
    let place = name.unwrap_or(id).place.clone();
    let version = field("DISTRIB_RELEASE").map(|version| shorten(&version.value));
    let name = name.map(|name| shorten(&name.value));
    let id = shorten(&id.value).to_lowercase().replace(' ', "-");
    Ok(Some(linux(Some(&id), version.as_deref(), name.as_deref(), place)))
}

/// The operating system's family by os-release's `ID`; whoever else writes an os-release is a Linux.
fn family(id: &str) -> &'static str {
    match id {
        "freebsd" => "freebsd",
        "openbsd" => "openbsd",
        "netbsd" => "netbsd",
        "dragonfly" => "dragonfly",
        "omnios" | "openindiana" | "smartos" | "illumos" => "illumos",
        _ => "linux",
    }
}

/// A name that a person reads; no more of it than an evidence shows.
fn shorten(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_control())
        .take(Evidence::MAX_VALUE)
        .collect()
}

/// Takes a shell's quotes off, as far as os-release(5) allows them.
fn unquote(value: &str) -> String {
    let value = value.trim();
    if let Some(inner) = value.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return inner.to_owned();
    }
    let inner = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
        .unwrap_or(value);
    let mut plain = String::with_capacity(inner.len());
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => plain.extend(characters.next()),
            other => plain.push(other),
        }
    }
    plain
}

/// `CentOS release 6.10 (Final)`, `Red Hat Enterprise Linux Server release 7.9 (Maipo)`.
fn from_red_hat_release(line: &str, place: Evidence) -> System {
    let (product, rest) = line.split_once(" release ").unwrap_or((line, ""));
    let known = PRODUCTS.iter().find(|(start, _)| product.starts_with(start));
    let id = known.map(|(_, id)| *id);
    let version = rest.split_whitespace().next();
    let kin: &[&str] = if id == Some("fedora") { &[] } else { &["rhel", "fedora"] };
    System {
        like: kin.iter().map(|id| (*id).to_owned()).collect(),
        ..linux(id, version, Some(line), place)
    }
}

/// `SUSE Linux Enterprise Server 11 (x86_64)`, `VERSION = 11`, `PATCHLEVEL = 4`.
fn from_suse_release(text: &str) -> System {
    let line = shorten(text.lines().next().unwrap_or_default().trim());
    let field = |wanted: &str| {
        let fields = text.lines().filter_map(|line| line.split_once('='));
        let found = fields
            .map(|(key, value)| (key.trim(), value.trim()))
            .find(|(key, _)| *key == wanted);
        found.map(|(_, value)| shorten(value))
    };
    let version = match (field("VERSION"), field("PATCHLEVEL")) {
        (Some(version), Some(level)) if level != "0" => Some(format!("{version}.{level}")),
        (version, _) => version,
    };
    let id = match line.as_str() {
        name if name.starts_with("openSUSE") => "opensuse",
        name if name.contains("Desktop") => "sled",
        _ => "sles",
    };
    let place = Evidence::path("/etc/SuSE-release").line(1).value(&line);
    System {
        like: vec!["suse".to_owned()],
        ..linux(Some(id), version.as_deref(), Some(&line), place)
    }
}

/// BSD without os-release: FreeBSD's `freebsd-version` is a script that knows its version, NetBSD has `/etc/release`, and
/// OpenBSD its kernel in the root.
fn from_bsd(files: &Files<'_>) -> Read<Option<System>> {
    const FREEBSD: &str = "/bin/freebsd-version";
    let text = files.read_text(FREEBSD, RELEASE_LIMIT)?.unwrap_or_default();
    let set = services::assignments(FREEBSD, &text);
    if let Some((_, version)) = set.iter().find(|(name, _)| name == "USERLAND_VERSION") {
        let number = version.value.split('-').next().map(str::to_owned);
        return Ok(Some(System {
            distribution: Some("freebsd".to_owned()),
            version: number,
            name: Some(format!("FreeBSD {}", shorten(&version.value))),
            evidence: vec![version.place.clone()],
            ..System::of_family("freebsd")
        }));
    }
    if let Some((line, place)) = first_line(files, "/etc/release")?
        && let Some(rest) = line.strip_prefix("NetBSD ")
    {
        return Ok(Some(System {
            distribution: Some("netbsd".to_owned()),
            version: rest.split('/').next().map(str::to_owned),
            name: Some(line.clone()),
            evidence: vec![place],
            ..System::of_family("netbsd")
        }));
    }
    if let Some(kernel) = files.first_file(&["/bsd"])?
        && files.stat("/etc/rc.conf")?.is_some()
    {
        return Ok(Some(System {
            distribution: Some("openbsd".to_owned()),
            evidence: vec![Evidence::path(kernel)],
            ..System::of_family("openbsd")
        }));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::MemoryTree;

    fn read_system(tree: &MemoryTree) -> Option<System> {
        read(&Files::new(tree).unwrap()).unwrap()
    }

    /// Release files of real systems; each case names where its text is from (`tests/release/cases.json`).
    #[test]
    fn real_release_files_are_recognised() {
        let cases: Vec<Value> = serde_json::from_str(include_str!("../../tests/release/cases.json")).unwrap();
        assert!(cases.len() >= 25);
        for case in &cases {
            let given = case["files"].as_object().unwrap();
            let tree = given.iter().fold(MemoryTree::new(), |tree, (path, text)| {
                tree.file(path, text.as_str().unwrap())
            });
            let system = read_system(&tree).unwrap_or_else(|| panic!("{case:#?}"));
            let text = |value: &Option<String>| value.as_deref().map_or(Value::Null, Value::from);
            for (field, found) in [
                ("family", Value::from(system.family.as_str())),
                ("distribution", text(&system.distribution)),
                ("version", text(&system.version)),
                ("name", text(&system.name)),
                ("variant", text(&system.variant)),
            ] {
                assert_eq!(found, case["expected"][field], "{field}: {case:#?}");
            }
            assert!(
                given.contains_key(system.evidence[0].path.as_deref().unwrap()),
                "{case:#?}"
            );
        }
    }

    #[test]
    fn quotes_and_later_lines_are_read_as_a_shell_does() {
        let tree = MemoryTree::new().file(
            "/etc/os-release",
            "ID=old\n ID='rocky'\nID_LIKE=\"rhel centos fedora\"\nPRETTY_NAME=\"A \\\"b\\\" \\$c\"\nVERSION_ID=9.5\n",
        );
        let system = read_system(&tree).unwrap();
        assert_eq!(system.distribution.as_deref(), Some("rocky"));
        assert_eq!(system.like, ["rhel", "centos", "fedora"]);
        assert_eq!(system.name.as_deref(), Some("A \"b\" $c"));
        assert_eq!(system.version.as_deref(), Some("9.5"));
        assert_eq!(system.architecture, None, "no program, no guess");
        assert_eq!(system.evidence[0].line, Some(4));
    }

    #[test]
    fn the_vendors_os_release_is_read_where_there_is_no_other() {
        let vendor = MemoryTree::new().file("/usr/lib/os-release", "ID=flatcar\n");
        assert_eq!(read_system(&vendor).unwrap().distribution.as_deref(), Some("flatcar"));
        let both = vendor.file("/etc/os-release", "ID=own\n");
        assert_eq!(read_system(&both).unwrap().distribution.as_deref(), Some("own"));
        assert_eq!(read_system(&MemoryTree::new().dir("/etc")), None, "nothing is guessed");
    }

    #[test]
    fn the_init_tells_the_machine() {
        let tree = MemoryTree::new()
            .systemd()
            .file("/etc/os-release", "ID=debian\n")
            .program(
                "/usr/lib/systemd/systemd",
                b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0",
            );
        let system = read_system(&tree).unwrap();
        assert_eq!(
            (system.architecture.as_deref(), system.bits),
            (Some("x86_64"), Some(64))
        );
        assert_eq!(system.evidence[1].path.as_deref(), Some("/sbin/init"));
    }
}
