//! For which machine a system's programs are made, and with which C library: the ELF header of its init.

use crate::{
    Evidence,
    files::{Files, Read},
};

/// Programs that every system has; init first.
const PROGRAMS: &[&str] = &[
    "/sbin/init",
    "/usr/sbin/init",
    "/usr/lib/systemd/systemd",
    "/lib/systemd/systemd",
    "/bin/busybox",
    "/bin/sh",
    "/usr/bin/sh",
    "/bin/ls",
    "/usr/bin/ls",
];

/// How much of a program is read, in bytes: its program headers and the interpreter's name stand at the beginning.
const HEAD: usize = 16 << 10;

/// Program headers that are looked through; real programs have about a dozen.
const MAX_HEADERS: usize = 64;

/// What a program tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Program {
    /// `uname -m`'s name.
    pub(super) machine: &'static str,
    /// 32 or 64.
    pub(super) bits: u8,
    /// `glibc`, `musl`, `uclibc`, `bsd`.
    pub(super) libc: Option<&'static str>,
    pub(super) place: Evidence,
}

/// Reads the first program that is an ELF file. Not being able to tell is no reason to doubt the rest.
pub(super) fn read(files: &Files<'_>) -> Option<Program> {
    PROGRAMS.iter().find_map(|path| {
        let head = head(files, path).ok()??;
        let elf = Elf::parse(&head)?;
        let interpreter = elf.interpreter(&head);
        let libc = match interpreter {
            Some(interpreter) => libc_of(interpreter),
            None => linker(files),
        };
        let told = match interpreter {
            Some(interpreter) => format!("ELF {}-bit {} {interpreter}", elf.bits, elf.machine),
            None => format!("ELF {}-bit {}", elf.bits, elf.machine),
        };
        Some(Program {
            machine: elf.machine,
            bits: elf.bits,
            libc,
            place: Evidence::path(*path).value(&told),
        })
    })
}

/// The beginning of a program; of a script, that of the program that runs it.
fn head(files: &Files<'_>, path: &str) -> Read<Option<Vec<u8>>> {
    let Some(head) = files.read_start(path, HEAD)? else {
        return Ok(None);
    };
    let Some(line) = head.strip_prefix(b"#!") else {
        return Ok(Some(head));
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    match line.split_whitespace().next() {
        Some(interpreter) if interpreter.starts_with('/') => files.read_start(interpreter, HEAD),
        _ => Ok(None),
    }
}

/// An ELF header (System V ABI, chapter 4, "ELF Header").
struct Elf {
    machine: &'static str,
    bits: u8,
    little: bool,
}

impl Elf {
    /// Class at byte 4, byte order at byte 5, `e_machine` at byte 18.
    fn parse(head: &[u8]) -> Option<Self> {
        if head.get(..4)? != b"\x7fELF" {
            return None;
        }
        let bits = if *head.get(4)? == 2 { 64 } else { 32 };
        let mut elf = Self {
            machine: "",
            bits,
            little: *head.get(5)? == 1,
        };
        elf.machine = machine(elf.number(head, 18, 2)?, bits, elf.little)?;
        Some(elf)
    }

    fn number(&self, head: &[u8], at: usize, len: usize) -> Option<u64> {
        let bytes = head.get(at..at.checked_add(len)?)?;
        let fold = |number: u64, byte: &u8| (number << 8) | u64::from(*byte);
        Some(if self.little {
            bytes.iter().rev().fold(0, fold)
        } else {
            bytes.iter().fold(0, fold)
        })
    }

    /// The dynamic linker that the program asks for (`PT_INTERP`, 3). `None` for a static program, or where that stands
    /// beyond what was read.
    fn interpreter<'h>(&self, head: &'h [u8]) -> Option<&'h str> {
        // e_phoff, e_phentsize and e_phnum; p_offset and p_filesz.
        let (table, size, count, offset, len, word) = if self.bits == 64 {
            (32, 54, 56, 8, 32, 8)
        } else {
            (28, 42, 44, 4, 16, 4)
        };
        let table = usize::try_from(self.number(head, table, word)?).ok()?;
        let size = usize::try_from(self.number(head, size, 2)?).ok()?;
        let count = usize::try_from(self.number(head, count, 2)?).ok()?;
        for index in 0..count.min(MAX_HEADERS) {
            let at = table.checked_add(index.checked_mul(size)?)?;
            if self.number(head, at, 4)? != 3 {
                continue;
            }
            let start = usize::try_from(self.number(head, at.checked_add(offset)?, word)?).ok()?;
            let len = usize::try_from(self.number(head, at.checked_add(len)?, word)?).ok()?;
            let name = head.get(start..start.checked_add(len)?)?;
            return std::str::from_utf8(name).ok().map(|name| name.trim_end_matches('\0'));
        }
        None
    }
}

/// `uname -m`'s name of an `e_machine`.
fn machine(number: u64, bits: u8, little: bool) -> Option<&'static str> {
    Some(match (number, bits, little) {
        (3, ..) => "i686",
        (62, ..) => "x86_64",
        (40, ..) => "arm",
        (183, ..) => "aarch64",
        (243, 64, _) => "riscv64",
        (243, ..) => "riscv32",
        (21, _, true) => "ppc64le",
        (21, _, false) => "ppc64",
        (20, ..) => "ppc",
        (22, 64, _) => "s390x",
        (8, 64, _) => "mips64",
        (8, ..) => "mips",
        (258, ..) => "loongarch64",
        _ => return None,
    })
}

/// The C library that a dynamic linker belongs to.
fn libc_of(linker: &str) -> Option<&'static str> {
    let name = linker.rsplit('/').next().unwrap_or(linker);
    Some(match name {
        name if name.starts_with("ld-musl") => "musl",
        name if name.starts_with("ld-uClibc") || name.starts_with("ld64-uClibc") => "uclibc",
        name if name.starts_with("ld-elf") => "bsd",
        name if name.starts_with("ld-linux") || name.starts_with("ld64.so") || name.starts_with("ld.so") => "glibc",
        _ => return None,
    })
}

/// The C library by the dynamic linker that stands in the system's folders, for a static program.
fn linker(files: &Files<'_>) -> Option<&'static str> {
    ["/lib64", "/lib", "/libexec"]
        .iter()
        .filter_map(|folder| files.list(folder).ok())
        .find_map(|names| {
            names
                .iter()
                .filter(|name| name.starts_with("ld"))
                .find_map(|name| libc_of(name))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::MemoryTree;

    fn elf(class: u8, order: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut header = b"\x7fELF".to_vec();
        header.extend([class, order, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
        header.extend(machine);
        header
    }

    fn machine_of(head: &[u8]) -> Option<&'static str> {
        Elf::parse(head).map(|elf| elf.machine)
    }

    #[test]
    fn the_byte_order_of_the_program_is_respected() {
        assert_eq!(machine_of(&elf(2, 2, [0, 22])), Some("s390x"));
        assert_eq!(machine_of(&elf(2, 1, [183, 0])), Some("aarch64"));
        assert_eq!(machine_of(&elf(2, 1, [21, 0])), Some("ppc64le"));
        assert_eq!(machine_of(b"#!/bin/sh -e\nexec init"), None);
        assert_eq!(machine_of(b"\x7fELF"), None, "a truncated header is no header");
    }

    /// The test program itself is an ELF file made by a real linker.
    #[test]
    #[cfg(target_os = "linux")]
    fn a_real_program_tells_machine_and_library() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let tree = MemoryTree::new()
            .program("/bin/busybox", own)
            .symlink("/sbin/init", "/bin/busybox");
        let program = read(&Files::new(&tree).unwrap()).unwrap();
        assert_eq!(program.machine, std::env::consts::ARCH);
        assert_eq!(u32::from(program.bits), usize::BITS);
        assert_eq!(
            program.libc,
            Some(if cfg!(target_env = "musl") { "musl" } else { "glibc" })
        );
    }

    #[test]
    fn a_script_is_followed_to_its_shell_and_a_static_program_to_the_folders() {
        let tree = MemoryTree::new()
            .program("/sbin/init", "#!/bin/own-sh -e\n")
            .program("/bin/own-sh", elf(1, 1, [40, 0]))
            .file("/lib/ld-musl-armhf.so.1", "");
        let program = read(&Files::new(&tree).unwrap()).unwrap();
        assert_eq!((program.machine, program.bits, program.libc), ("arm", 32, Some("musl")));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_damaged_program_is_read_without_trouble(class in 0_u8..4, order in 0_u8..3, rest in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut head = elf(class, order, [62, 0]);
            head.extend(rest);
            if let Some(elf) = Elf::parse(&head) {
                _ = elf.interpreter(&head);
            }
        }
    }
}
