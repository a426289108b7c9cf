//! Reads a whole disk with as many threads as are asked for (0: opens it only) and prints what it took:
//! `read_disk FILE [THREADS [TIMES]]`, TIMES being how often the file stands there, one behind the other: many members of
//! gzip or streams of bzip2, so a large one without the space. `cargo xtask bench disk` compares with other programs.

use std::{
    env, fs,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use lotse_disk::{Disk, ExtentKind, FileSource, Result, Source};

/// What one thread reads at a time, in bytes.
const PIECE: u64 = 2 << 20;

fn main() -> ExitCode {
    let mut arguments = env::args_os().skip(1);
    let Some(path) = arguments.next() else {
        eprintln!("read_disk FILE [THREADS [TIMES]]");
        return ExitCode::from(2);
    };
    let mut number = || arguments.next().and_then(|number| number.to_str()?.parse().ok());
    let threads = number().unwrap_or_else(|| thread::available_parallelism().map_or(1, usize::from));
    let times = number().unwrap_or(1) as u64;
    let started = Instant::now();
    let opened = FileSource::open(Path::new(&path)).and_then(|file| Disk::open(Arc::new(Repeated { file, times })));
    let open_seconds = started.elapsed().as_secs_f64();
    match opened.and_then(|disk| read(&disk, threads)) {
        Ok((stored, size)) => {
            let seconds = started.elapsed().as_secs_f64();
            println!(
                "stored={stored} size={size} open_seconds={open_seconds:.3} seconds={seconds:.3} peak_kib={}",
                peak_kib()
            );
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("error={}", error.code());
            ExitCode::FAILURE
        }
    }
}

/// A file so many times, one behind the other.
#[derive(Debug)]
struct Repeated {
    file: FileSource,
    times: u64,
}

impl Source for Repeated {
    fn len(&self) -> u64 {
        self.file.len().saturating_mul(self.times)
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<()> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            // Only what lies behind the last one is left to the file to refuse.
            let at = match offset + done as u64 {
                at if at < self.len() => at % self.file.len(),
                at => at,
            };
            let len = usize::try_from(self.file.len().saturating_sub(at))
                .unwrap_or(usize::MAX)
                .min(rest.len());
            self.file.read_at(&mut rest[..len.max(1)], at)?;
            done += len;
        }
        Ok(())
    }

    fn extent_at(&self, offset: u64) -> (ExtentKind, u64) {
        if self.times == 1 {
            self.file.extent_at(offset)
        } else {
            (ExtentKind::Data, self.len().saturating_sub(offset))
        }
    }
}

/// Reads everything that is stored: its bytes, and the size of the disk.
fn read(disk: &Disk, threads: usize) -> Result<(u64, u64)> {
    let mut pieces = Vec::new();
    for extent in disk.extents() {
        let extent = extent?;
        if extent.kind == ExtentKind::Data {
            let end = extent.offset.saturating_add(extent.len);
            let mut at = extent.offset;
            while at < end {
                // Pieces end where a block does, so that no two threads unpack the same one.
                let next = (at / PIECE + 1).saturating_mul(PIECE).min(end);
                pieces.push((at, next - at));
                at = next;
            }
        }
    }
    let next = AtomicU64::new(0);
    let stored = AtomicU64::new(0);
    thread::scope(|scope| {
        let work = || -> Result<()> {
            let mut buf = vec![0; usize::try_from(PIECE).unwrap_or(0)];
            loop {
                let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
                let Some((offset, len)) = pieces.get(index) else {
                    return Ok(());
                };
                let part = buf.get_mut(..usize::try_from(*len).unwrap_or(0)).unwrap_or_default();
                disk.read_at(part, *offset)?;
                stored.fetch_add(*len, Ordering::Relaxed);
            }
        };
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| {
            let outcome = worker.join();
            outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    })?;
    Ok((stored.into_inner(), disk.len()))
}

/// The most memory that this process ever had, in KiB; 0 where the system does not tell.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}
