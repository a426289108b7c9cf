#!/usr/bin/env python3
"""dirty.py [DIRECTORY] -- filesystems as a running Linux leaves them when it stops without notice; makes dirty.bin.zst.

Needs root and loop devices. Each image is a copy taken while it was mounted, after fsync. Its listing is what Linux itself
shows of the copy once it has mounted it and so replayed the journal: path, type, mode, size, and the content's SHA-256
or the link's target. With DIRECTORY, images and listings are kept there as well.

dirty.bin: for each image the length of its name (1 byte), the name, its size in KiB, the length of the listing, the
listing, the number of KiB that are not zero (4 bytes each, little-endian), and for each of those its index and content."""
import hashlib, os, shutil, stat, struct, subprocess, sys, tempfile


def run(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write(path, data, sync=True):
    file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    os.write(file, data)
    if sync:
        os.fsync(file)
    os.close(file)


def sync(path="."):
    file = os.open(path, os.O_RDONLY)
    os.fsync(file)
    os.close(file)


def system():
    """What was there before, in its place."""
    os.makedirs("etc/ssh")
    write("etc/hostname", b"old\n")
    write("etc/ssh/sshd_config", b"PasswordAuthentication no\n" * 40)
    for i in range(60):
        write(f"etc/file-{i:03}", f"{i}\n".encode() * i, False)
    write("big", bytes((i * 7 + i // 251) % 256 for i in range(200000)))
    os.symlink("hostname", "etc/link")
    os.symlink("x" * 100, "etc/long")
    os.sync()


def changes():
    write("etc/hostname", b"new\n")
    os.rename("etc/file-001", "etc/renamed")
    for i in range(10, 30):
        os.unlink(f"etc/file-{i:03}")
    os.makedirs("var/log")
    write("var/log/messages", b"hello\n" * 1000)
    # Begins as the journal's own blocks do: to be escaped where data goes through the journal.
    write("magic", bytes.fromhex("c03b3998") + bytes(8188))
    with open("big", "r+b") as file:
        file.truncate(150000)
        file.seek(70000)
        file.write(b"patched")
        file.flush()
        os.fsync(file.fileno())
    sync("etc")
    sync("var")


def plain():
    system()
    changes()


def fill(path, size=1 << 30):
    """Writes until nothing more fits."""
    file = os.open(path, os.O_CREAT | os.O_WRONLY)
    try:
        while size > 0:
            size -= os.write(file, path[:1].encode() * min(size, 1024))
    except OSError:
        pass
    try:
        os.fsync(file)
    except OSError:
        pass
    os.close(file)


def revoked():
    """Blocks of directories and files that went through the journal, were freed, and hold other data now: on a disk so
    full that there are no others."""
    plain()
    fill("gap", 100 << 10)
    fill("full")
    os.unlink("gap")
    os.sync()
    made = []
    try:
        for i in range(60):
            os.mkdir(f"directory-{i}")
            made.append(f"directory-{i}")
    except OSError:
        pass
    os.sync()
    for path in made:
        os.rmdir(path)
    os.sync()
    fill("reused")
    os.sync()


def wrapped():
    """So many transactions that the log begins anew several times."""
    system()
    for turn in range(200):
        write(f"etc/turn-{turn % 7}", f"{turn}".encode() * 300)
        os.rename(f"etc/turn-{turn % 7}", f"etc/turned-{turn % 5}")
    changes()


def fast():
    plain()
    for i in range(30):
        write(f"new-{i}", b"n" * (i * 1500))
    os.link("new-1", "hard")
    os.unlink("new-2")
    os.rename("new-3", "moved")
    sync()
    os.mkdir("fresh")
    write("fresh/inside", b"inside\n")
    os.symlink("inside", "fresh/link")
    os.symlink("y" * 200, "fresh/long")
    sync("fresh")
    with open("big", "r+b") as file:
        file.seek(100000)
        file.write(b"again" * 2000)
        file.truncate(120000)
        file.flush()
        os.fsync(file.fileno())
    with open("holes", "wb") as file:
        for at in range(0, 200000, 20000):
            file.seek(at)
            file.write(b"island" * 500)
        file.flush()
        os.fsync(file.fileno())
    write("etc/hostname", b"newest\n")


def orphans():
    plain()
    open_files.append(os.open("magic", os.O_RDONLY))
    os.unlink("magic")
    sync()


open_files = []
K1 = "-b 1024 -J size=4"
OLD = "-b 1024 -J size=4 -O ^metadata_csum,^64bit"
IMAGES = {
    "ext4": (24, f"-t ext4 {K1}", "", plain),
    "ext4-4k": (48, "-t ext4 -b 4096 -J size=4", "", plain),
    "ext3": (24, f"-t ext3 {K1}", "", plain),
    "checksum-v1": (24, f"-t ext4 {OLD}", "journal_checksum", plain),
    "async-v1": (24, f"-t ext4 {OLD}", "journal_async_commit,data=writeback", plain),
    "async-v3": (24, f"-t ext4 {K1}", "journal_async_commit,data=writeback", plain),
    "data": (24, f"-t ext4 {K1}", "data=journal", plain),
    "data-revoked": (10, f"-t ext3 {K1}", "data=journal", revoked),
    "revoked": (10, f"-t ext4 {K1}", "", revoked),
    "wrapped": (24, "-t ext4 -b 1024 -J size=1", "", wrapped),
    "wrapped-data": (24, "-t ext3 -b 1024 -J size=1", "data=journal", wrapped),
    "inline": (24, f"-t ext4 {K1} -O inline_data -I 256", "", plain),
    "bigalloc": (64, f"-t ext4 {K1} -O bigalloc -C 16384", "", plain),
    "fast": (24, f"-t ext4 {K1} -O fast_commit", "", fast),
    "fast-4k": (64, "-t ext4 -b 4096 -J size=8 -O fast_commit", "", fast),
    "orphans": (24, f"-t ext4 {K1} -O orphan_file", "", orphans),
    "orphans-list": (24, f"-t ext4 {K1} -O ^orphan_file", "", orphans),
}


def listing(root):
    for folder, names, files in sorted(os.walk(root)):
        for name in sorted(names + files):
            path = os.path.join(folder, name)
            about = os.lstat(path)
            mode = f"{about.st_mode & 0o7777:04o}"
            shown = path[len(root) :]
            if stat.S_ISDIR(about.st_mode):
                yield f"{shown} d {mode} - -"
            elif stat.S_ISLNK(about.st_mode):
                yield f"{shown} l {mode} {about.st_size} {os.readlink(path)}"
            else:
                with open(path, "rb") as file:
                    yield f"{shown} f {mode} {about.st_size} {hashlib.sha256(file.read()).hexdigest()}"


def make(name, work):
    size, options, mount, script = IMAGES[name]
    image, point = os.path.join(work, "image"), os.path.join(work, "mnt")
    os.makedirs(point, exist_ok=True)
    with open(image, "wb") as file:
        file.truncate(size << 20)
    run("mke2fs", "-q", "-F", "-U", "01234567-89ab-cdef-0123-456789abcdef", *options.split(), image)
    run("mount", "-o", ",".join(filter(None, ["loop", "commit=300", mount])), image, point)
    os.chdir(point)
    script()
    os.chdir("/")
    # What went to the loop device went to the file: a copy is what the disk holds at this moment.
    with open(image, "rb") as file:
        content = file.read()
    while open_files:
        os.close(open_files.pop())
    run("umount", point)
    with open(image, "wb") as file:
        file.write(content)
    run("mount", "-o", "loop", image, point)
    shown = "".join(line + "\n" for line in listing(point))
    run("umount", point)
    return content, shown


def packed(name, content, shown):
    name, shown = name.encode(), shown.encode()
    parts = [content[at : at + 1024] for at in range(0, len(content), 1024)]
    used = [(index, part) for index, part in enumerate(parts) if any(part)]
    head = struct.pack("<B", len(name)) + name + struct.pack("<II", len(parts), len(shown)) + shown
    return head + struct.pack("<I", len(used)) + b"".join(struct.pack("<I", index) + part for index, part in used)


if __name__ == "__main__":
    pack = os.path.join(os.path.dirname(os.path.abspath(__file__)), "dirty.bin")
    keep = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else None
    with open(pack, "wb") as file:
        for name in IMAGES:
            with tempfile.TemporaryDirectory() as work:
                content, shown = make(name, work)
            file.write(packed(name, content, shown))
            if keep:
                os.makedirs(keep, exist_ok=True)
                with open(os.path.join(keep, name + ".img"), "wb") as image, open(os.path.join(keep, name + ".txt"), "w") as text:
                    image.write(content)
                    text.write(shown)
    run("zstd", "-q", "-f", "--rm", "--ultra", "-22", pack)
