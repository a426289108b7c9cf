"""into-journal.py BEFORE AFTER: prints debugfs commands that write the difference of two filesystems as one transaction into the journal of BEFORE.

The first block is left out: that a filesystem was changed does not show in its superblock until it is unmounted.
"""

import sys

# mke2fs was told so.
BLOCK = 4096
before, after = (open(path, "rb") for path in sys.argv[1:3])
numbers = []
with open("blocks", "wb") as blocks:
    number = 0
    while new := after.read(BLOCK):
        if before.read(BLOCK) != new and number != 0:
            blocks.write(new)
            numbers.append(str(number))
        number += 1
print("journal_open")
print("journal_write -b", ",".join(numbers), "blocks")
print("journal_close")
