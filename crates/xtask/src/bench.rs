//! `cargo xtask bench disk`: how fast `disk` reads every container and compression, beside the programs that people use.
//! All of one row are run in turn on the same file, which is in the system's memory by then; the best of three counts.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::system::{Need, System};
use crate::workspace::Workspace;
use crate::{Failure, Outcome, about, child, failure, programs};

const MIB: u64 = 1 << 20;

/// Each program's runs on each file.
const RUNS: usize = 3;

/// What is measured: a file's name, how it is made of `disk.raw`, the other programs that read it whole, and the ratio
/// that is aimed at.
struct Row {
    name: &'static str,
    make: &'static str,
    others: &'static [Other],
    aim: &'static str,
}

/// Another program on the same file.
struct Other {
    name: &'static str,
    command: &'static str,
}

/// `-n` with QEMU's null driver: all is read and unpacked, nothing written. `qemu-img convert X /dev/null` does not work
/// (it wants to make the file), `qemu-img dd` has no threads, and `qemu-img bench` reads one place again and again.
const QEMU: &[Other] = &[Other {
    name: "qemu-img",
    command: "qemu-img convert -n -W -m 16 --target-image-opts FILE driver=null-co,size=SIZE",
}];

const AT_LEAST_QEMU: &str = ">= 1.0 of qemu-img";

const ROWS: &[Row] = &[
    Row {
        name: "disk.raw",
        make: "",
        others: QEMU,
        aim: AT_LEAST_QEMU,
    },
    container("plain.qcow2", "-O qcow2"),
    container("small-clusters.qcow2", "-O qcow2 -o cluster_size=4k"),
    container("extended-l2.qcow2", "-O qcow2 -o extended_l2=on"),
    container("zlib.qcow2", "-O qcow2 -c"),
    container("zstd.qcow2", "-O qcow2 -c -o compression_type=zstd"),
    container("dynamic.vhdx", "-O vhdx"),
    container("fixed.vhdx", "-O vhdx -o subformat=fixed"),
    container("dynamic.vdi", "-O vdi"),
    container("static.vdi", "-O vdi -o static=on"),
    container("sparse.vmdk", "-O vmdk"),
    container("stream.vmdk", "-O vmdk -o subformat=streamOptimized"),
    Row {
        name: "gzip.raw.gz",
        make: "gzip -6 -c disk.raw >FILE",
        others: &[
            Other {
                name: "gzip",
                command: "gzip -dc FILE",
            },
            Other {
                name: "pigz",
                command: "pigz -dc FILE",
            },
        ],
        aim: "at most 0.6 of gzip's time",
    },
    Row {
        name: "pigz.raw.gz",
        make: "pigz -6 -c disk.raw >FILE",
        others: &[
            Other {
                name: "gzip",
                command: "gzip -dc FILE",
            },
            Other {
                name: "pigz",
                command: "pigz -dc FILE",
            },
        ],
        aim: "at most 0.6 of gzip's time",
    },
    Row {
        name: "lbzip2.raw.bz2",
        make: "lbzip2 -9 -c disk.raw >FILE",
        others: &[Other {
            name: "lbzip2",
            command: "lbzip2 -dc FILE",
        }],
        aim: "at most 1.1 of lbzip2's time",
    },
];

const fn container(name: &'static str, make: &'static str) -> Row {
    Row {
        name,
        make,
        others: QEMU,
        aim: AT_LEAST_QEMU,
    }
}

/// Makes the files that are missing, measures, and prints a table; of the rows whose names hold one of `only`, if any.
pub(crate) fn run(workspace: &Workspace, gib: u64, only: &[String]) -> Outcome {
    programs::provide(workspace, System::detect(), &[Need::Images])?;
    child::run(&mut workspace.cargo([
        "build",
        "--release",
        "--package",
        "lotse-disk",
        "--example",
        "read_disk",
    ]))?;
    let ours = workspace.target("release/examples").join("read_disk");
    let folder = workspace.target("bench").join(format!("disk-{gib}"));
    fs::create_dir_all(&folder).map_err(about(&folder))?;
    let raw = folder.join("disk.raw");
    if !raw.exists() {
        println!("  makes a disk of {gib} GiB");
        write_disk(&raw, gib * 1024)?;
    }
    let mut table =
        String::from("\nfile                  stored MiB  ours s  (open)  peak MiB  others s, their time / ours\n");
    let is_wanted = |row: &&Row| only.is_empty() || only.iter().any(|part| row.name.contains(part.as_str()));
    for row in ROWS.iter().filter(is_wanted) {
        let line = measure(workspace, &folder, &ours, row, gib)?;
        println!("{line}");
        _ = writeln!(table, "{line}");
    }
    println!("{table}");
    Ok(())
}

/// One row of the table.
fn measure(workspace: &Workspace, folder: &Path, ours: &Path, row: &Row, gib: u64) -> Outcome<String> {
    let path = folder.join(row.name);
    if !path.exists() && !make(workspace, folder, row)? {
        return Ok(format!("{:21} cannot be made here: a program is missing", row.name));
    }
    let mut best = Ours::default();
    let mut theirs = vec![f64::INFINITY; row.others.len()];
    for _ in 0..RUNS {
        let output = child_output(workspace.command(ours).arg(&path))?;
        let Some(once) = Ours::parse(&output) else {
            let code = output.trim().trim_start_matches("error=").to_owned();
            return Ok(format!("{:21} not read yet ({code})", row.name));
        };
        best = best.better(once);
        for (other, best) in row.others.iter().zip(&mut theirs) {
            let program = other.command.split_whitespace().next().unwrap_or_default();
            if workspace.has(program) {
                let line = other.command.replace("SIZE", &(gib << 30).to_string());
                *best = best.min(time(workspace, folder, &line.replace("FILE", row.name))?);
            }
        }
    }
    let mut line = format!(
        "{:21} {:10}  {:6.2}  {:6.2}  {:8}",
        row.name,
        best.stored / MIB,
        best.seconds,
        best.open_seconds,
        best.peak_kib / 1024
    );
    for (other, seconds) in row.others.iter().zip(&theirs) {
        if seconds.is_finite() {
            _ = write!(line, "  {} {seconds:.2}, {:.2}", other.name, seconds / best.seconds);
        } else {
            _ = write!(line, "  {} not installed", other.name);
        }
    }
    _ = write!(line, "  (aim: {})", row.aim);
    Ok(line)
}

/// Makes a row's file; false if the program for it is missing.
fn make(workspace: &Workspace, folder: &Path, row: &Row) -> Outcome<bool> {
    let part = format!("{}.part", row.name);
    let line = if row.make.starts_with('-') {
        format!("qemu-img convert -f raw {} disk.raw {part}", row.make)
    } else {
        row.make.replace("FILE", &part)
    };
    let program = line.split_whitespace().next().unwrap_or_default();
    if !workspace.has(program) {
        return Ok(false);
    }
    child::run(shell(workspace, folder, &line).stdin(Stdio::null()))?;
    let path = folder.join(row.name);
    fs::rename(folder.join(&part), &path).map_err(about(&path))?;
    Ok(true)
}

/// What `read_disk` printed.
#[derive(Clone, Copy)]
struct Ours {
    stored: u64,
    /// Of these, what `Disk::open` took: with a compressed file, a pass over all of it.
    open_seconds: f64,
    seconds: f64,
    peak_kib: u64,
}

impl Default for Ours {
    fn default() -> Self {
        Self {
            stored: 0,
            open_seconds: f64::INFINITY,
            seconds: f64::INFINITY,
            peak_kib: 0,
        }
    }
}

impl Ours {
    fn parse(line: &str) -> Option<Self> {
        let field = |name: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(name));
            word.and_then(|word| word.strip_prefix('='))
        };
        Some(Self {
            stored: field("stored")?.parse().ok()?,
            open_seconds: field("open_seconds")?.parse().ok()?,
            seconds: field("seconds")?.parse().ok()?,
            peak_kib: field("peak_kib")?.parse().ok()?,
        })
    }

    /// The faster of two runs, with the higher of two peaks.
    fn better(self, other: Self) -> Self {
        Self {
            stored: other.stored,
            open_seconds: self.open_seconds.min(other.open_seconds),
            seconds: self.seconds.min(other.seconds),
            peak_kib: self.peak_kib.max(other.peak_kib),
        }
    }
}

/// `read_disk` says on standard output what went wrong too.
fn child_output(command: &mut Command) -> Outcome<String> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure(format!("read_disk could not be started: {error}")))?;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Seconds that a command takes, its output thrown away.
fn time(workspace: &Workspace, folder: &Path, line: &str) -> Outcome<f64> {
    let started = Instant::now();
    let status = shell(workspace, folder, line)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Failure(format!("`{line}` could not be started: {error}")))?;
    if !status.success() {
        return failure(format!("`{line}` failed ({status})"));
    }
    Ok(started.elapsed().as_secs_f64())
}

fn shell(workspace: &Workspace, folder: &Path, line: &str) -> Command {
    let mut command = workspace.command("sh");
    command.args(["-ec", line]).current_dir(folder);
    command
}

/// A third each of holes, of words that compress well, and of programs' kind of bytes that compress to a half, in runs
/// of 1 to 16 MiB as files on a disk are.
pub(crate) fn write_disk(path: &Path, mib: u64) -> Outcome {
    let part = PathBuf::from(format!("{}.part", path.display()));
    let file = File::create(&part).map_err(about(&part))?;
    file.set_len(mib * MIB).map_err(about(&part))?;
    let mut writer = BufWriter::with_capacity(1 << 20, file);
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let words: Vec<Vec<u8>> = (0..5000)
        .map(|_| {
            let len = 2 + random.below(9);
            (0..len).map(|_| b'a' + random.byte() % 26).chain([b' ']).collect()
        })
        .collect();
    let mut at = 0;
    while at < mib {
        let run = (1 + random.below(16)).min(mib - at);
        let kind = random.below(3);
        // The first sector says that it is a disk.
        if kind == 0 && at > 0 {
            writer.seek(SeekFrom::Start((at + run) * MIB)).map_err(about(&part))?;
        } else {
            for number in 0..run {
                let mut bytes = fill(kind, &words, &mut random);
                if at + number == 0
                    && let Some(signature) = bytes.get_mut(510..512)
                {
                    signature.copy_from_slice(&[0x55, 0xaa]);
                }
                writer.write_all(&bytes).map_err(about(&part))?;
            }
        }
        at += run;
    }
    writer.flush().map_err(about(&part))?;
    drop(writer);
    fs::rename(&part, path).map_err(about(path))
}

/// One MiB.
fn fill(kind: u64, words: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1 << 20);
    while bytes.len() < 1 << 20 {
        let word = usize::try_from(random.below(words.len() as u64)).unwrap_or(0);
        match words.get(word) {
            // A number of 8 bytes of which half are chance.
            _ if kind == 2 => bytes.extend_from_slice(&(random.next() & 0x0000_ffff_0000_ffff).to_le_bytes()),
            Some(word) => bytes.extend_from_slice(word),
            None => bytes.push(0),
        }
    }
    bytes.truncate(1 << 20);
    bytes
}

/// Xorshift: the same disk each time, without a dependency.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[3]
    }
}
