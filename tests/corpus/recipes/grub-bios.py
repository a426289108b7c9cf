"""grub-bios.py DISK BOOT.IMG CORE.IMG SECTOR: puts GRUB into a disk's first sector and into the BIOS boot partition that begins at SECTOR.

As grub-bios-setup does on a device (grub/util/setup.c): the first sector keeps its table and learns where core.img begins, whose own first
sector learns where its rest stands.
"""

import struct
import sys

KERNEL_SECTOR = 0x5C  # GRUB_BOOT_MACHINE_KERNEL_SECTOR
TABLE = 0x1B8  # the disk's signature, the table and the mark at the end stay
FIRST_LIST = 512 - 12  # start (8 bytes), length (2), segment (2) of the rest of core.img

disk, boot, core, sector = sys.argv[1], open(sys.argv[2], "rb").read(), bytearray(open(sys.argv[3], "rb").read()), int(sys.argv[4])
sectors = (len(core) + 511) // 512
core[FIRST_LIST : FIRST_LIST + 10] = struct.pack("<QH", sector + 1, sectors - 1)
with open(disk, "r+b") as file:
    first = bytearray(boot[:TABLE]) + file.read(512)[TABLE:]
    first[KERNEL_SECTOR : KERNEL_SECTOR + 8] = struct.pack("<Q", sector)
    # A boot drive of 0xff: whichever the BIOS started from (boot.S jumps over the check).
    first[0x66:0x68] = b"\x90\x90"
    file.seek(0)
    file.write(first)
    file.seek(sector * 512)
    file.write(core)
