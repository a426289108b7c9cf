#!/usr/bin/env python3
"""Makes the tables of tests/tables.rs with sgdisk, parted and sfdisk, and writes down what `partx` (libblkid) says of
them. As root, for sectors of 4096 bytes come from a loop device: python3 make.py."""

import gzip
import os
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MIB = 1 << 20


def run(*words, **more):
    return subprocess.run(words, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more).stdout


def sgdisk(*words):
    return lambda disk: run("sgdisk", *words, disk)


def parted(*words):
    return lambda disk: run("parted", "-s", disk, *words)


def sfdisk(script):
    return lambda disk: run("sfdisk", "-q", disk, input=script)


MADE = [
    # Name, MiB, sector, steps.
    ("sgdisk-200", 12, 512, [sgdisk("-S", "200", "-n", "1:2048:+2M", "-c", "1:EFI System", "-t", "1:ef00", "-n", "150:8192:+3M", "-c", "150:wurzel ü", "-A", "150:set:2", "-A", "150:set:63")]),
    ("sgdisk-hybrid", 8, 512, [sgdisk("-n", "1:2048:+2M", "-n", "2:8192:+2M", "-c", "2:zwei"), sgdisk("-h", "2")]),
    ("sgdisk-4096", 8, 4096, [sgdisk("-n", "1:256:+2M", "-c", "1:boot", "-t", "1:ef00", "-n", "2:1024:+2M", "-c", "2:root")]),
    ("sfdisk-mbr-4096", 8, 4096, [sfdisk("label: dos\nlabel-id: 0x0badcafe\nstart=256, size=512, type=83, bootable\nstart=1024, size=512, type=83\n")]),
    ("sfdisk-logical", 16, 512, [sfdisk("label: dos\nlabel-id: 0xc0ffee01\nsize=1MiB, type=83\nstart=3MiB, type=f\nstart=4MiB, size=1MiB, type=83, bootable\nstart=6MiB, size=1MiB, type=82\nstart=9MiB, size=2MiB, type=8e\n"), lambda disk: run("sfdisk", "-q", "--delete", disk, "6")]),
    ("parted-gpt", 8, 512, [parted("mklabel", "gpt", "mkpart", "ESP", "fat32", "1MiB", "3MiB", "set", "1", "esp", "on", "mkpart", "wurzel", "ext4", "3MiB", "6MiB", "mkpart", "grub", "6MiB", "7MiB", "set", "3", "bios_grub", "on")]),
    ("parted-msdos", 16, 512, [parted("mklabel", "msdos", "mkpart", "primary", "ext4", "1MiB", "3MiB", "set", "1", "boot", "on", "mkpart", "extended", "4MiB", "15MiB", "mkpart", "logical", "5MiB", "7MiB", "mkpart", "logical", "8MiB", "10MiB")]),
]

with tempfile.TemporaryDirectory() as folder:
    lines = []
    for name, size, sector, steps in MADE:
        disk = Path(folder) / name
        disk.write_bytes(b"")
        os.truncate(disk, size * MIB)
        loop = run("losetup", "-b", str(sector), "-f", "--show", str(disk)).strip() if sector != 512 else None
        try:
            for step in steps:
                step(loop or str(disk))
        finally:
            if loop:
                run("sync")
                run("losetup", "-d", loop)
        if name == "sfdisk-mbr-4096":
            # Only a filesystem tells how long the sectors of an MBR are.
            run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-E", f"offset={256 * 4096}", str(disk), "2048k")
        told = run("partx", "-r", "-g", "-S", str(sector), "-o", "NR,START,SECTORS,TYPE,UUID,FLAGS,NAME", str(disk))
        for line in told.splitlines():
            fields = line.split(" ")
            fields[6] = fields[6].encode().decode("unicode_escape").encode("latin-1").decode() if len(fields) > 6 else ""
            lines.append("\t".join([name, *fields]))
        (HERE / f"{name}.raw.gz").write_bytes(gzip.compress(disk.read_bytes(), 9, mtime=0))
    (HERE / "partx.tsv").write_text("".join(line + "\n" for line in lines))
