#!/usr/bin/env python3
"""Makes the disks of tests/layers.rs with lvm2, mke2fs, mkswap and mdadm. As root, for it needs loop devices:
python3 make.py. No device mapper and no md driver are needed: what stands in a logical volume is written to where
`lvs` says that its extents are, and the RAID superblocks, which only a running kernel makes, are written here and
proved with `mdadm --examine` and `blkid`."""

import gzip
import os
import struct
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MIB = 1 << 20
ENV = dict(os.environ, LVM_SUPPRESS_FD_WARNINGS="1", SOURCE_DATE_EPOCH="1700000000")


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENV, **more).stdout


def system(folder, fstab):
    files = {
        "etc/os-release": 'ID=debian\nVERSION_ID="12"\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
        "etc/fstab": fstab,
        "sbin/init": "",
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    for name in ["boot", "data"]:
        (folder / name).mkdir(exist_ok=True)


def ext4(size, folder, *more):
    with tempfile.NamedTemporaryFile() as image:
        image.truncate(size)
        run("mke2fs", "-q", "-F", "-t", "ext4", "-b", "1024", "-O", "^has_journal", "-E", "hash_seed=1cf4cd2d-fdc4-49e9-85ff-1c9c9d7d1f47", "-d", str(folder), *more, image.name)
        return Path(image.name).read_bytes()


def save(path, name):
    with open(HERE / name, "wb") as out:
        out.write(gzip.compress(Path(path).read_bytes(), 9, mtime=0))


def lvm(folder):
    disk = folder / "disk"
    disk.write_bytes(bytes(36 * MIB))
    run("sfdisk", "-q", str(disk), input="label: gpt\nstart=1MiB, size=4MiB, type=linux\nstart=6MiB, size=12MiB, type=lvm\nstart=20MiB, size=12MiB, type=lvm\n")
    loops = [run("losetup", "-f", "--show", "-o", str(at * MIB), "--sizelimit", str(12 * MIB), str(disk)).strip() for at in (6, 20)]
    accept = ",".join(f'"a|^{loop}$|"' for loop in loops)
    config = f'devices{{use_devicesfile=0 filter=[{accept},"r|.*|"]}} backup{{backup=0 archive=0}}'

    def tool(name, *words):
        return run(name, "--config", config, "--driverloaded", "n", *words)

    try:
        # A small ring of texts, so that some ten changes go round it.
        tool("pvcreate", "-q", "--metadatasize", "16k", "--dataalignment", "64k", *loops)
        tool("vgcreate", "-q", "-s", "256k", "vg-one", *loops)
        create = ["lvcreate", "-q", "-an", "-Zn", "-Wn", "-y"]
        tool(*create, "-L", "5M", "-n", "root", "vg-one", loops[0])
        tool(*create, "-L", "1M", "-n", "swap_1", "vg-one", loops[0])
        tool("lvextend", "-q", "-L", "+2M", "vg-one/root", loops[0])
        tool("lvextend", "-q", "-L", "+3M", "vg-one/root", loops[1])
        tool(*create, "-i", "2", "-I", "64k", "-L", "4M", "-n", "data", "vg-one")
        for turn in range(200):
            tool("lvchange", "-q", "--addtag", f"t{turn}", "vg-one/swap_1")
            tool("lvchange", "-q", "--deltag", f"t{turn}", "vg-one/swap_1")
            if all(wraps(disk, at * MIB) for at in (6, 20)):
                break
        else:
            raise SystemExit("the metadata never went round the ring")
        run("sync")
        places = tool("lvs", "--noheadings", "--units", "b", "--nosuffix", "--separator", ";", "-o", "lv_name,seg_start,seg_size,stripes,seg_pe_ranges,vg_extent_size", "vg-one")
        starts = dict(line.split(";") for line in tool("pvs", "--noheadings", "--units", "b", "--nosuffix", "--separator", ";", "-o", "pv_name,pe_start").split())
    finally:
        for loop in loops:
            run("losetup", "-d", loop)
    root, data, boot = folder / "root", folder / "data", folder / "boot"
    system(root, "/dev/mapper/vg--one-root / ext4 errors=remount-ro 0 1\nLABEL=start /boot ext4 defaults 0 2\n/dev/vg-one/data /data ext4 defaults 0 2\n/dev/mapper/vg--one-swap_1 none swap sw 0 0\n")
    # Large enough to reach into each of its stretches.
    (root / "large").write_bytes(b"".join(struct.pack("<I", n) * 1024 for n in range(2000)))
    data.mkdir()
    (data / "striped").write_bytes(b"".join(struct.pack("<I", n * 7) * 1024 for n in range(800)))
    boot.mkdir()
    (boot / "vmlinuz").write_bytes(b"kernel")
    swap = folder / "swap"
    swap.write_bytes(bytes(MIB))
    run("mkswap", "-L", "tausch", str(swap))
    contents = {"root": ext4(10 * MIB, root, "-L", "wurzel"), "data": ext4(4 * MIB, data, "-L", "daten"), "swap_1": swap.read_bytes()}
    with open(disk, "r+b") as out:
        out.seek(MIB)
        out.write(ext4(4 * MIB, boot, "-L", "start"))
        for line in places.split("\n"):
            if not line.strip():
                continue
            name, start, size, stripes, ranges, extent = line.strip().split(";")
            start, size, stripes, extent = int(start), int(size), int(stripes), int(extent)
            content = contents[name][start:start + size]
            places_of = []
            for one in ranges.split(" "):
                loop, extents = one.split(":")
                at = (6, 20)[loops.index(loop)] * MIB + int(starts[loop]) + int(extents.split("-")[0]) * extent
                places_of.append(at)
            assert len(places_of) == stripes
            chunk = 64 * 1024 if stripes > 1 else len(content)
            for index in range(0, len(content), chunk):
                row, column = divmod(index // chunk, stripes)
                out.seek(places_of[column] + row * chunk)
                out.write(content[index:index + chunk])
    save(disk, "lvm.raw.gz")


def wraps(disk, at):
    with open(disk, "rb") as image:
        image.seek(at + 4096)
        header = image.read(512)
        size = struct.unpack_from("<Q", header, 32)[0]
        offset, length = struct.unpack_from("<QQ", header, 40)
        return offset + length > size


def raid(folder):
    """One member of a mirror for each version of the superblock."""
    for version, offset in [("1.2", 1 * MIB), ("1.1", 1 * MIB), ("1.0", 0), ("0.90", 0)]:
        len_, data = 8 * MIB, 6 * MIB
        root = folder / f"root-{version}"
        system(root, f"/dev/md0 / ext4 defaults 0 1\n# {version}\n")
        disk = folder / f"raid-{version}"
        image = bytearray(len_)
        image[offset:offset + data] = ext4(data, root, "-L", f"raid-{version}")
        if version == "0.90":
            at = (len_ & ~0xffff) - 0x10000
            words = [0] * 1024
            words[0:11] = [0xa92b4efc, 0, 90, 0, 0, 0x11223344, 1700000000, 1, data // 1024, 2, 2]
            words[13:16] = [0x55667788, 0x99aabbcc, 0xddeeff00]
            words[32:35] = [1700000000, 1, 2]
            words[39] = 1
            # Two active disks; this one is the first.
            for place, disk_ in [(128, 0), (160, 1), (992, 0)]:
                words[place:place + 5] = [disk_, 7, disk_, disk_, 6]
            total = sum(words)
            words[38] = (total & 0xffffffff) + (total >> 32) & 0xffffffff
            image[at:at + 4096] = struct.pack("<1024I", *words)
        else:
            at = {"1.2": 4096, "1.1": 0, "1.0": (len_ - 8192) & ~4095}[version]
            block = bytearray(256 + 2 * 128)
            struct.pack_into("<II", block, 0, 0xa92b4efc, 1)
            block[16:32] = bytes(range(16, 32))
            block[32:64] = b"old-host:root".ljust(32, b"\0")
            struct.pack_into("<QiIQII", block, 64, 1700000000, 1, 0, data // 512, 0, 2)
            struct.pack_into("<QQQQ", block, 128, offset // 512, data // 512, at // 512, 0)
            struct.pack_into("<I", block, 160, 0)
            block[168:184] = bytes(range(48, 64))
            struct.pack_into("<QQQII", block, 192, 1700000000, 17, 0xffffffffffffffff, 0, 128)
            for number in range(128):
                struct.pack_into("<H", block, 256 + 2 * number, number if number < 2 else 0xffff)
            total = sum(struct.unpack(f"<{len(block) // 4}I", block))
            struct.pack_into("<I", block, 216, (total & 0xffffffff) + (total >> 32) & 0xffffffff)
            image[at:at + len(block)] = block
        disk.write_bytes(image)
        told = run("mdadm", "--examine", str(disk))
        assert "Raid Level : raid1" in told and "correct" in told, told
        print(run("blkid", "-p", str(disk)).strip())
        disk.write_bytes(bytes(MIB) + image)
        run("sfdisk", "-q", str(disk), input="label: dos\nstart=1MiB, type=fd\n")
        save(disk, f"raid-{version}.raw.gz")


with tempfile.TemporaryDirectory() as name:
    lvm(Path(name))
    raid(Path(name))
