#!/usr/bin/env python3
"""Makes the disk of tests/filesystems.rs: what the real mkfs tools write, and what `blkid -p` says of it. Only blocks
that are not zero are kept, and of these the first and the last few. python3 make.py; of Debian: e2fsprogs
xfsprogs btrfs-progs f2fs-tools nilfs-tools jfsutils reiserfsprogs ntfs-3g dosfstools exfatprogs makefs xorriso
cryptsetup-bin lvm2 bcache-tools squashfs-tools erofs-utils.

Format of the disk, numbers little-endian: 512 bytes with the signature 55 aa at 510, then for each filesystem its name
(16 bytes), its length (8 bytes), the number of its blocks (8 bytes), and for each block its offset (8 bytes) and
4096 bytes; a name of zeros ends it."""

import gzip
import os
import struct
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
MIB = 1 << 20
BLOCK = 4096
UUID = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"

# Name, size in MiB, command; {} is the image, {tree} a folder with a file.
MADE = [
    ("ext2", 8, "mke2fs -q -F -t ext2 -L daten {}"),
    ("ext3", 8, "mke2fs -q -F -t ext3 -L daten {}"),
    ("ext4", 8, "mke2fs -q -F -t ext4 -L daten {}"),
    ("jbd", 8, "mke2fs -q -F -O journal_dev -L journal {}"),
    ("xfs", 512, "mkfs.xfs -q -L daten {}"),
    ("btrfs", 128, "mkfs.btrfs -q -L daten {}"),
    ("f2fs", 64, "mkfs.f2fs -q -l dätén {}"),
    ("nilfs2", 130, "mkfs.nilfs2 -q -L daten {}"),
    ("jfs", 32, "mkfs.jfs -q -L daten {}"),
    ("reiserfs", 40, f"mkreiserfs -q -f -f -l daten -u {UUID} {{}}"),
    ("fat12", 1, "mkfs.vfat -F 12 -n DATEN {}"),
    ("fat16", 32, "mkfs.vfat -F 16 -n DATEN {}"),
    ("fat32", 64, "mkfs.vfat -F 32 -n EFI {}"),
    ("fat-no-label", 32, "mkfs.vfat {}"),
    ("exfat", 32, "mkfs.exfat -L dätén {}"),
    ("ntfs", 32, "mkfs.ntfs -q -F -Q -L Windows {}"),
    ("ntfs-64k", 64, "mkfs.ntfs -q -F -Q -c 65536 -L groß {}"),
    ("ufs1", 16, "makefs -s 16m -t ffs -o version=1 {} {tree}"),
    ("ufs2", 16, "makefs -s 16m -t ffs -o version=2 {} {tree}"),
    ("ufs-big-endian", 16, "makefs -B be -s 16m -t ffs -o version=2 {} {tree}"),
    ("iso", 1, "xorriso -as mkisofs -quiet -V DATEN -o {} {tree}"),
    ("swap", 2, "mkswap -L tausch {}"),
    ("swap-64k", 2, "mkswap -p 65536 -L tausch {}"),
    ("luks1", 32, "cryptsetup luksFormat -q --type luks1 --pbkdf-force-iterations 1000 --key-file {key} {}"),
    ("luks2", 32, "cryptsetup luksFormat -q --type luks2 --label geheim --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file {key} {}"),
    ("bcache", 32, "make-bcache -B {}"),
    ("squashfs", 1, "mksquashfs {tree} {} -noappend -quiet -no-progress"),
    ("erofs", 1, f"mkfs.erofs -U {UUID} {{}} {{tree}}"),
    ("blank", 1, "true {}"),
]


# Bytes at the beginning that are kept: up to the root directory or the master file table; key slots are random.
START = {"fat": 2 * MIB, "exf": 4 * MIB, "ntf": MIB, "luk": 16 * 1024}


def kept(image):
    size = image.stat().st_size
    start = START.get(image.name[:3], 144 * 1024)
    with open(image, "rb") as file:
        content = file.read()
    for at in range(0, size, BLOCK):
        if at < start or at >= size - 64 * 1024:
            block = content[at:at + BLOCK]
            if block.strip(b"\0"):
                yield at, block.ljust(BLOCK, b"\0")


with tempfile.TemporaryDirectory() as folder:
    folder = Path(folder)
    tree, key = folder / "tree", folder / "key"
    tree.mkdir()
    (tree / "here").write_text("here\n")
    key.write_text("no secret\n")
    disk = bytearray(512)
    disk[510:512] = b"\x55\xaa"
    told = []
    for name, size, command in MADE:
        image = folder / name
        image.write_bytes(b"")
        os.truncate(image, size * MIB)
        words = [word.replace("{tree}", str(tree)).replace("{key}", str(key)).replace("{}", str(image)) for word in command.split()]
        subprocess.run(words, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
        probe = subprocess.run(["blkid", "-p", "-o", "export", str(image)], stdout=subprocess.PIPE, text=True).stdout
        values = dict(line.split("=", 1) for line in probe.splitlines() if "=" in line)
        blocks = list(kept(image))
        disk += name.encode().ljust(16, b"\0") + struct.pack("<QQ", image.stat().st_size, len(blocks))
        for at, block in blocks:
            disk += struct.pack("<Q", at) + block
        # blkid's own output quotes what is no plain ASCII.
        plain = lambda tag: subprocess.run(["blkid", "-p", "-o", "value", "-s", tag, str(image)], stdout=subprocess.PIPE).stdout.decode().rstrip("\n")
        told.append("\t".join([name, values.get("TYPE", ""), plain("UUID"), plain("LABEL")]))
    disk += bytes(16)
    disk += bytes(-len(disk) % 512)
    (HERE / "made.raw.gz").write_bytes(gzip.compress(bytes(disk), 9, mtime=0))
    (HERE / "blkid.tsv").write_text("".join(line + "\n" for line in told))
