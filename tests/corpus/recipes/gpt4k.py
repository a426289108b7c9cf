"""gpt4k.py DISK START SECTORS DISK-GUID PARTITION-GUID: a GPT with one partition on a disk of 4096-byte sectors.

sfdisk takes the sector size from the device and knows no other for a file. UEFI 2.10, chapter 5.
"""

import struct
import sys
import uuid
import zlib

SECTOR = 4096
ENTRIES, ENTRY = 128, 128
LINUX = uuid.UUID("0FC63DAF-8483-4772-8E79-3D69D8477DE4")

disk, start, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with open(disk, "r+b") as file:
    sectors = file.seek(0, 2) // SECTOR
    table_sectors = ENTRIES * ENTRY // SECTOR
    first, last = 2 + table_sectors, sectors - 2 - table_sectors
    entry = LINUX.bytes_le + uuid.UUID(sys.argv[5]).bytes_le + struct.pack("<QQQ", start, start + count - 1, 0)
    entries = (entry + "root".encode("utf-16-le").ljust(72, b"\0")).ljust(ENTRIES * ENTRY, b"\0")

    def header(here, other, table):
        def pack(crc):
            return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, here, other, first, last,
                               uuid.UUID(sys.argv[4]).bytes_le, table, ENTRIES, ENTRY, zlib.crc32(entries))
        return pack(zlib.crc32(pack(0)))

    protective = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, sectors - 1)
    file.seek(0)
    file.write((b"\0" * 446 + protective).ljust(510, b"\0") + b"\x55\xaa")
    for here, other, table in [(1, sectors - 1, 2), (sectors - 1, 1, sectors - 1 - table_sectors)]:
        file.seek(here * SECTOR)
        file.write(header(here, other, table))
        file.seek(table * SECTOR)
        file.write(entries)
