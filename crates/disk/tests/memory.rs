//! However a small image is damaged, opening and reading it takes little memory: nothing is allocated by a number in the file.
//! A program of its own, because the system tells the most that a whole process ever took.
#![cfg(target_os = "linux")]

use std::{fs, process::Command, sync::Arc};

use lotse_disk::{Disk, MemorySource};

/// What one image may cost at its worst, in KiB, all that the test itself holds included.
const LIMIT: u64 = 256 * 1024;

/// Damages of each image.
const TRIES: u64 = 150;

/// The most memory that this process ever took, in KiB (proc(5), `VmHWM`).
fn most_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| {
        line.strip_prefix("VmHWM:")?
            .trim()
            .strip_suffix("kB")?
            .trim()
            .parse()
            .ok()
    })
}

/// Numbers that are the same in every run (Numerical Recipes' linear congruential generator).
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

/// Opens an image and touches all there is; errors are welcome.
fn read_through(bytes: Vec<u8>) {
    let Ok(disk) = Disk::open(Arc::new(MemorySource::new(bytes))) else {
        return;
    };
    let _ = disk.missing_bytes();
    let mut buffer = vec![0; 1 << 20];
    // A damaged size may promise a disk of many terabytes: a few hundred extents and their beginnings tell.
    for extent in disk.extents().take(200).map_while(Result::ok) {
        let len = buffer.len().min(usize::try_from(extent.len).unwrap_or(usize::MAX));
        let _ = disk.read_at(&mut buffer[..len], extent.offset);
    }
}

#[test]
fn no_damage_of_up_to_sixteen_bytes_makes_an_image_expensive() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let raw = folder.path().join("disk.raw");
    let mut content = vec![0; 2 << 20];
    let mut state = 1;
    content[..600_000]
        .iter_mut()
        .for_each(|byte| *byte = u8::try_from(next(&mut state) & 0x3f).unwrap_or(0));
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    fs::write(&raw, &content)?;
    let shell = |script: &str| {
        Command::new("sh")
            .current_dir(folder.path())
            .args(["-ec", script])
            .status()
    };
    for make in [
        "cp disk.raw out",
        "qemu-img convert -O qcow2 disk.raw out",
        "qemu-img convert -O qcow2 -c disk.raw out",
        "qemu-img convert -O qcow2 -o cluster_size=512 disk.raw out",
        "qemu-img convert -O qcow2 -o extended_l2=on disk.raw out",
        "qemu-img convert -O vhdx -o block_size=1M disk.raw out",
        "qemu-img convert -O vdi disk.raw out",
        "qemu-img convert -O vmdk disk.raw out",
        "qemu-img convert -O vmdk -o subformat=streamOptimized disk.raw out",
        "gzip -c disk.raw > out",
        "bzip2 -c disk.raw > out",
    ] {
        assert!(shell(make)?.success(), "{make}");
        let good = fs::read(folder.path().join("out"))?;
        assert!(
            Disk::open(Arc::new(MemorySource::new(good.clone()))).is_ok(),
            "{make}: undamaged it is read"
        );
        // Headers and tables stand at the beginning of all of them; half of the damage goes there.
        let front = (good.len() as u64).min(4096);
        for _ in 0..TRIES {
            let mut bytes = good.clone();
            for _ in 0..=next(&mut state) % 16 {
                let range = if next(&mut state).is_multiple_of(2) {
                    front
                } else {
                    good.len() as u64
                };
                let at = usize::try_from(next(&mut state) % range).unwrap_or(0);
                bytes[at] = u8::try_from(next(&mut state) & 0xff).unwrap_or(0);
            }
            read_through(bytes);
        }
        let most = most_memory().ok_or("the system does not tell")?;
        assert!(most < LIMIT, "after `{make}` the test had taken {most} KiB");
        println!("{make}: {most} KiB");
    }
    Ok(())
}
