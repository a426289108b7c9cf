//! Which operating system a root holds: os-release, the release files of systems older than it, and the machine of its
//! init program.

use crate::{
    Evidence,
    facts::System,
    files::{Files, Read},
};

/// Largest release file that is read, in bytes; real ones have less than 1 KiB.
const RELEASE_LIMIT: usize = 64 << 10;

/// Where os-release stands, the first one wins (os-release(5)).
const OS_RELEASE: &[&str] = &["/etc/os-release", "/usr/lib/os-release"];

/// One-line release files of systems without os-release, the distribution's own before the one it copies.
const OLD_RELEASES: &[&str] = &["/etc/centos-release", "/etc/redhat-release", "/etc/system-release"];

/// Programs that every system has, to read the machine from; init first.
const PROGRAMS: &[&str] = &[
    "/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/bin/busybox",
    "/bin/sh",
    "/usr/bin/sh",
];

/// Reads the operating system off its root; `None` if it is not recognised.
pub(crate) fn read(files: &Files<'_>) -> Read<Option<System>> {
    let Some(system) = release(files)? else { return Ok(None) };
    Ok(Some(System {
        architecture: architecture(files),
        ..system
    }))
}

fn release(files: &Files<'_>) -> Read<Option<System>> {
    for path in OS_RELEASE {
        if let Some(text) = files.read_text(path, RELEASE_LIMIT)? {
            return Ok(Some(from_os_release(path, &text)));
        }
    }
    for path in OLD_RELEASES {
        if let Some(text) = files.read_text(path, RELEASE_LIMIT)? {
            return Ok(Some(from_old_release(path, &text)));
        }
    }
    for (path, id) in [("/etc/alpine-release", "alpine"), ("/etc/debian_version", "debian")] {
        if let Some(text) = files.read_text(path, RELEASE_LIMIT)? {
            let version = text
                .lines()
                .next()
                .map(|line| shorten(line.trim()))
                .filter(|version| !version.is_empty());
            return Ok(Some(linux(
                Some(id),
                version.as_deref(),
                None,
                Evidence::path(path)
                    .line(1)
                    .value(version.as_deref().unwrap_or_default()),
            )));
        }
    }
    Ok(None)
}

fn linux(distribution: Option<&str>, version: Option<&str>, name: Option<&str>, evidence: Evidence) -> System {
    System {
        family: "linux".to_owned(),
        distribution: distribution.map(str::to_owned),
        like: Vec::new(),
        version: version.map(str::to_owned),
        name: name.map(str::to_owned),
        architecture: None,
        evidence: vec![evidence],
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
        family: family(&id).to_owned(),
        like: field("ID_LIKE")
            .map(|(like, ..)| like.split_whitespace().map(str::to_owned).collect())
            .unwrap_or_default(),
        version: field("VERSION_ID").map(|(version, ..)| version),
        name: field("PRETTY_NAME").map(|(name, ..)| name),
        architecture: None,
        evidence: vec![evidence],
        distribution: Some(id),
    }
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
fn from_old_release(path: &str, text: &str) -> System {
    let line = shorten(text.lines().next().unwrap_or_default().trim());
    let line = line.as_str();
    let (product, rest) = line.split_once(" release ").unwrap_or((line, ""));
    let known = [
        ("CentOS", "centos"),
        ("Red Hat Enterprise", "rhel"),
        ("Scientific", "scientific"),
        ("Oracle", "ol"),
        ("Fedora", "fedora"),
        ("Amazon", "amzn"),
    ];
    let id = known
        .into_iter()
        .find(|(start, _)| product.starts_with(start))
        .map(|(_, id)| id);
    let version = rest.split_whitespace().next();
    System {
        like: vec!["rhel".to_owned(), "fedora".to_owned()],
        ..linux(id, version, Some(line), Evidence::path(path).line(1).value(line))
    }
}

/// The machine of the first program that is an ELF file. Not being able to tell it is no reason to doubt the rest.
fn architecture(files: &Files<'_>) -> Option<String> {
    PROGRAMS
        .iter()
        .find_map(|path| elf_machine(&files.read_start(path, 20).ok()??))
        .map(str::to_owned)
}

/// `uname -m`'s name for an ELF header's machine (System V ABI, chapter 4, "ELF Header": class at byte 4, byte order at
/// byte 5, `e_machine` at byte 18).
fn elf_machine(header: &[u8]) -> Option<&'static str> {
    if header.get(..4)? != b"\x7fELF" {
        return None;
    }
    let bits64 = *header.get(4)? == 2;
    let little = *header.get(5)? == 1;
    let field = [*header.get(18)?, *header.get(19)?];
    let machine = if little {
        u16::from_le_bytes(field)
    } else {
        u16::from_be_bytes(field)
    };
    Some(match (machine, bits64, little) {
        (3, ..) => "i686",
        (62, ..) => "x86_64",
        (40, ..) => "arm",
        (183, ..) => "aarch64",
        (243, true, _) => "riscv64",
        (243, false, _) => "riscv32",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (22, true, _) => "s390x",
        (258, ..) => "loongarch64",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryTree;

    fn elf(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut header = b"\x7fELF".to_vec();
        header.extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
        header.extend(machine);
        header
    }

    fn read_system(tree: &MemoryTree) -> Option<System> {
        read(&Files::new(tree).unwrap()).unwrap()
    }

    #[test]
    fn debian_12_is_told_with_its_architecture() {
        let os_release = "PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nNAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\n\
                          VERSION=\"12 (bookworm)\"\nID=debian\nHOME_URL=\"https://www.debian.org/\"\n";
        let tree = MemoryTree::new()
            .file("/usr/lib/os-release", os_release)
            .symlink("/etc/os-release", "../usr/lib/os-release")
            .symlink("/sbin", "usr/sbin")
            .symlink("/usr/sbin/init", "/usr/lib/systemd/systemd")
            .program("/usr/lib/systemd/systemd", elf(2, 1, [62, 0]));
        let system = read_system(&tree).unwrap();
        assert_eq!(system.family, "linux");
        assert_eq!(system.distribution.as_deref(), Some("debian"));
        assert_eq!(system.version.as_deref(), Some("12"));
        assert_eq!(system.name.as_deref(), Some("Debian GNU/Linux 12 (bookworm)"));
        assert_eq!(system.architecture.as_deref(), Some("x86_64"));
        assert_eq!(system.evidence[0].line, Some(1));
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
    }

    #[test]
    fn systems_older_than_os_release_are_told() {
        let tree = MemoryTree::new()
            .file("/etc/centos-release", "CentOS release 6.10 (Final)\n")
            .symlink("/etc/redhat-release", "centos-release");
        let system = read_system(&tree).unwrap();
        assert_eq!(
            (system.distribution.as_deref(), system.version.as_deref()),
            (Some("centos"), Some("6.10"))
        );
        assert_eq!(read_system(&MemoryTree::new().dir("/etc")), None, "nothing is guessed");
    }

    #[test]
    fn the_byte_order_of_the_program_is_respected() {
        assert_eq!(elf_machine(&elf(2, 2, [0, 22])), Some("s390x"));
        assert_eq!(elf_machine(&elf(2, 1, [183, 0])), Some("aarch64"));
        assert_eq!(elf_machine(&elf(2, 1, [21, 0])), Some("ppc64le"));
        assert_eq!(elf_machine(b"#!/bin/sh -e\nexec init"), None);
        assert_eq!(elf_machine(b"\x7fELF"), None, "a truncated header is no header");
    }
}
