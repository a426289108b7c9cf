//! Linux's own filesystems, and swap.

use lotse_disk::bytes::{has, le16, le32};

use super::{Filesystem, text, utf16, uuid};
use crate::ext::Superblock;

/// `BCHFS_MAGIC` in Linux `fs/bcachefs/bcachefs_format.h`.
const BCACHEFS: [u8; 16] = [
    0xc6, 0x85, 0x73, 0xf6, 0x66, 0xce, 0x90, 0xa9, 0xd9, 0x6a, 0x60, 0xcf, 0x80, 0x3d, 0xf7, 0xef,
];

/// ext4 super.rst: `INCOMPAT_JOURNAL_DEV`.
const JOURNAL_DEVICE: u32 = 8;

pub(super) fn find(head: &[u8]) -> Option<Filesystem> {
    let found = |kind, label, uuid| Some(Filesystem::new(kind, label, uuid));
    // XFS Algorithms & Data Structures, "Superblocks".
    if has(head, 0, b"XFSB") {
        return found("xfs", text(head, 108, 12), uuid(head, 32));
    }
    // btrfs On-disk Format, "Superblock": at 64 KiB, magic at 64, fsid at 32, label at 299.
    if has(head, 0x1_0040, b"_BHRfS_M") {
        return found("btrfs", text(head, 0x1_0000 + 299, 256), uuid(head, 0x1_0020));
    }
    // `struct bch_sb` at 4 KiB: magic at 24, user's UUID at 56, label at 72.
    if has(head, 4096 + 24, &BCACHEFS) {
        return found("bcachefs", text(head, 4096 + 72, 32), uuid(head, 4096 + 56));
    }
    // Linux include/linux/f2fs_fs.h.
    if le32(head, 1024) == 0xf2f5_2010 {
        return found("f2fs", utf16(head, 1024 + 124, 1024), uuid(head, 1024 + 108));
    }
    // Linux include/uapi/linux/nilfs2_ondisk.h: magic at 6, UUID at 152, name at 168.
    if le16(head, 1024 + 6) == 0x3434 && le32(head, 1024) == 2 {
        return found("nilfs2", text(head, 1024 + 168, 80), uuid(head, 1024 + 152));
    }
    // Linux fs/erofs/erofs_fs.h: UUID at 48, name at 64.
    if le32(head, 1024) == 0xe0f5_e1e2 {
        return found("erofs", text(head, 1024 + 64, 16), uuid(head, 1024 + 48));
    }
    // Linux fs/squashfs/squashfs_fs.h: magic, and version 4 at 28.
    if has(head, 0, b"hsqs") && le16(head, 28) == 4 {
        return found("squashfs", None, None);
    }
    // Linux fs/jfs/jfs_superblock.h: at 32 KiB, UUID at 136, label at 152.
    if has(head, 0x8000, b"JFS1") {
        return found("jfs", text(head, 0x8000 + 152, 16), uuid(head, 0x8000 + 136));
    }
    // Linux fs/reiserfs/reiserfs.h: at 64 KiB (old ones at 8 KiB), magic at 52, UUID at 84, label at 100.
    for at in [0x1_0000, 0x2000] {
        let names: [&[u8]; 3] = [b"ReIsErFs", b"ReIsEr2Fs", b"ReIsEr3Fs"];
        if names.iter().any(|name| has(head, at + 52, name)) {
            return found("reiserfs", text(head, at + 100, 16), uuid(head, at + 84));
        }
    }
    // ext4 super.rst: magic at 56, incompatible features at 96, UUID at 104, label at 120. A journal on a disk of its own
    // has no inodes.
    if le16(head, 1024 + 56) == 0xef53 && le32(head, 1024 + 96) & JOURNAL_DEVICE != 0 {
        return found("jbd", text(head, 1024 + 120, 16), uuid(head, 1024 + 104));
    }
    let superblock = Superblock::parse(head.get(1024..2048)?)?;
    found(superblock.kind(), superblock.label(), superblock.uuid())
}

/// Linux include/linux/swap.h: the magic ends the first page, whose size depends on the machine. A machine that sleeps
/// writes another one over it (Linux kernel/power/swap.c).
pub(super) fn swap(head: &[u8]) -> Option<Filesystem> {
    const MAGICS: [&[u8]; 4] = [b"SWAPSPACE2", b"SWAP-SPACE", b"S1SUSPEND", b"S2SUSPEND"];
    let is_swap = |page: usize| MAGICS.iter().any(|magic| has(head, page - 10, magic));
    let found = [4096, 8192, 16384, 32768, 65536].into_iter().any(is_swap);
    found.then(|| Filesystem::new("swap", text(head, 1024 + 28, 16), uuid(head, 1024 + 12)))
}
