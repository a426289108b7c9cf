"""xfs-proto.py TREE: the tree as a prototype file, from which mkfs.xfs fills a filesystem (mkfs.xfs(8), option -p)."""

import os
import stat
import sys


def mode(status, kind):
    bits = status.st_mode
    return f"{kind}{'u' if bits & stat.S_ISUID else '-'}{'g' if bits & stat.S_ISGID else '-'}{bits & 0o777:03o} {status.st_uid} {status.st_gid}"


def folder(path, depth):
    for name in sorted(os.listdir(path)):
        inside = os.path.join(path, name)
        status = os.lstat(inside)
        pad = " " * depth
        if any(c.isspace() for c in inside):
            continue
        if stat.S_ISDIR(status.st_mode):
            print(f"{pad}{name} {mode(status, 'd')}")
            folder(inside, depth + 1)
            print(f"{pad}$")
        elif stat.S_ISLNK(status.st_mode):
            print(f"{pad}{name} {mode(status, 'l')} {os.readlink(inside)}")
        elif stat.S_ISREG(status.st_mode):
            print(f"{pad}{name} {mode(status, '-')} {inside}")


print("/\n0 0")
print(mode(os.lstat(sys.argv[1]), "d"))
folder(sys.argv[1], 1)
print("$")
