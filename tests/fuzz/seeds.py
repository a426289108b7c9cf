#!/usr/bin/env python3
"""seeds.py [DIRECTORY] -- small real images for each fuzz target, made by qemu-img, gzip, bzip2
and mke2fs; into corpus/ by default.

Formats that are mostly nothing (VHDX, VDI, VMDK) are packed as lotse_fuzz::Pieces reads them."""
import bz2, gzip, json, os, random, sqlite3, struct, subprocess, sys, tarfile, tempfile, zlib

HERE = os.path.dirname(os.path.abspath(__file__))
CORPUS = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "corpus")
PIECE = 512


def disk(size=256 << 10):
    """A boot sector, a little text and noise, and holes."""
    noise = random.Random(1)
    data = bytearray(size)
    data[446:462] = bytes([0x80, 0, 2, 0, 0x83, 0, 0, 0, 8, 0, 0, 0, 0xF8, 1, 0, 0])
    data[510:512] = b"\x55\xaa"
    data[20000:22000] = noise.randbytes(2000)
    data[70000:90000] = (b"Imagelotse brings a disk image safely into an account. " * 400)[:20000]
    data[-300:] = noise.randbytes(300)
    return bytes(data)


def pieces(data):
    """The places of a file that are not zero."""
    out = struct.pack("<I", len(data))
    at = 0
    while at < len(data):
        end = at
        while end < len(data) and end - at < 60 * PIECE and any(data[end : end + PIECE]):
            end += PIECE
        if end > at:
            end = min(end, len(data))
            out += struct.pack("<IH", at, end - at) + data[at:end]
        at = max(end, at + PIECE)
    return out


def seed(target, name, data):
    folder = os.path.join(CORPUS, target)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, name), "wb") as file:
        file.write(data)


def images(work):
    raw = os.path.join(work, "raw")
    with open(raw, "wb") as file:
        file.write(disk())
    out = os.path.join(work, "out")
    variants = {
        "qcow2": [
            ("cluster_size=512", ""),
            ("compat=0.10,cluster_size=512", ""),
            ("cluster_size=4096", "-c"),
            ("cluster_size=4096,compression_type=zstd", "-c"),
            ("cluster_size=16k,extended_l2=on", ""),
            ("cluster_size=512,lazy_refcounts=on", "-c"),
        ],
        "vhdx": [("block_size=1M", ""), ("block_size=1M,subformat=fixed", ""), ("block_size=2M,log_size=2M", "")],
        "vdi": [("static=off", ""), ("static=on", "")],
        "vmdk": [("subformat=monolithicSparse", ""), ("subformat=streamOptimized", ""), ("subformat=monolithicFlat", "")],
    }
    for target, list_of_variants in variants.items():
        for number, (options, compress) in enumerate(list_of_variants):
            command = ["qemu-img", "convert", "-f", "raw", "-O", target, "-o", options]
            subprocess.run(command + ([compress] if compress else []) + [raw, out], check=True)
            with open(out, "rb") as file:
                yield target, str(number), file.read()
    for name, command in (("zeroed", "write -z 128k 16k"), ("discarded", "discard 64k 16k")):
        path = os.path.join(work, "used")
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-o", "cluster_size=4096", raw, path], check=True)
        subprocess.run(["qemu-img", "snapshot", "-c", "one", path], check=True)
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", command, path], check=True, stdout=subprocess.DEVNULL)
        with open(path, "rb") as file:
            yield "qcow2", name, file.read()


def compressed():
    data = disk(96 << 10)
    halves = data[: len(data) // 2], data[len(data) // 2 :]
    yield "gzip", "one", gzip.compress(data, 9, mtime=0)
    yield "gzip", "members", b"".join(gzip.compress(half, 1, mtime=0) for half in halves)
    yield "gzip", "stored", gzip.compress(data[:3000], 0, mtime=0)
    fields = b"\x1f\x8b\x08\x1e" + bytes(6) + struct.pack("<H4s", 4, b"xxxx") + b"disk.raw\0words\0"
    fields += struct.pack("<H", zlib.crc32(fields) & 0xFFFF)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    body = deflate.compress(data) + deflate.flush()
    yield "gzip", "fields", fields + body + struct.pack("<II", zlib.crc32(data), len(data))
    yield "bzip2", "one", bz2.compress(data, 1)
    yield "bzip2", "streams", b"".join(bz2.compress(half, 9) for half in halves)
    yield "bzip2", "empty", bz2.compress(b"")


def packages(work):
    """Package databases: those of crates/guest/tests/packages, and small ones of SQLite with a log and a journal."""
    folder = os.path.join(HERE, "../../crates/guest/tests/packages")

    def files(name):
        with tarfile.open(os.path.join(folder, name + ".tar.gz")) as tar:
            return [tar.extractfile(entry).read() for entry in tar]

    for name in ("rpm-berkeley", "rpm-berkeley-be"):
        yield "rpm_berkeley", name, files(name)[0]
    ndb = files("rpm-ndb")[0]
    yield "rpm_ndb", "one", ndb
    headers = []
    for slot in range(2, 256):
        first = struct.unpack_from("<I", ndb, slot * 16 + 8)[0] * 16
        if first:
            headers.append(ndb[first + 16 : first + 16 + struct.unpack_from("<I", ndb, first + 12)[0]])
            yield "rpm_header", str(slot), headers[-1]
    for which, mode, table in ((0, "wal", "Packages(hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"),
                               (1, "delete", "packages(id INTEGER PRIMARY KEY, name TEXT, version TEXT, arch TEXT)")):
        path = os.path.join(work, "sqlite" + mode)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute("PRAGMA page_size = 512")
        database.execute("PRAGMA journal_mode = " + mode)
        database.execute("CREATE TABLE " + table)
        rows = [("INSERT INTO Packages(blob) VALUES (?)", (header,)) for header in headers[:2]]
        if which:
            rows = [("INSERT INTO packages VALUES (?, ?, ?, ?)", (number, f"p{number}", "1_2,3", "x" * 200)) for number in range(8)]
        for row in rows:
            database.execute(*row)
        if which:
            database.execute("PRAGMA cache_size = 1")
            database.execute("BEGIN")
            database.execute("UPDATE packages SET version = 2")
        else:
            database.execute("PRAGMA wal_checkpoint")
            database.execute("DELETE FROM Packages WHERE hnum = 1")
        parts = []
        for ending in ("", "-wal" if which == 0 else "-journal"):
            with open(path + ending, "rb") as file:
                parts.append(file.read())
        for bits in (0, 2):
            yield "sqlite_wal", f"{mode}-{bits}", bytes([which | bits]) + struct.pack("<I", len(parts[0])) + b"".join(parts)
        database.close()
    for which, name in enumerate(("dpkg", "dpkg", "dpkg", "apk", "pacman")):
        yield "packages_text", f"{which}", bytes([which]) + files(name)[0][:4000]
    for which, text in ((4, b"openssh-9.9p2-1\n%NAME%\nopenssh\n%VERSION%\n9.9p2-1\n%ARCH%\nany\n"), (5, b"openssh-9.9_p2-r1\ngtk+-2.24.33\n"),
                        (6, b"openssh-9.9p2-x86_64-1\n")):
        yield "packages_text", f"{which}-names", bytes([which]) + text


def services():
    """The trees and configurations that systemd and sshd themselves were asked about."""
    tests = os.path.join(HERE, "../../crates/guest/tests")
    with open(os.path.join(tests, "sshd/cases.json")) as file:
        for number, case in enumerate(json.load(file)[:60]):
            paths = ["sshd_config", "sshd_config.d/10-a.conf", "sshd_config.d/50.conf", "extra"]
            pieces = [case["files"].get("/etc/ssh/" + path, "") for path in paths]
            yield "sshd_config", str(number), "\0".join(pieces).encode()
    with open(os.path.join(tests, "systemd/cases.json")) as file:
        for number, case in enumerate(json.load(file)[:60]):
            texts = [text for text in case["tree"].values() if isinstance(text, str)]
            yield "units", str(number), "\0".join(texts[:6]).encode()
    with open(os.path.join(tests, "release/cases.json")) as file:
        for number, case in enumerate(json.load(file)):
            texts = list(case["files"].values())
            yield "init_files", str(number), bytes([number % 4]) + ("\0" * 5 + "\0".join(texts)).encode()


def cloud_init(work):
    """Settings of cloud-init and ds-identify: those of the table beside the tests of crates/guest."""
    table = os.path.join(HERE, "../../crates/guest/tests/cloud_init/table-26.2.jsonl.gz")
    with gzip.open(table, "rt") as file:
        rows = [json.loads(line) for line in file]
    stock = rows[0]["base"]["/etc/cloud/cloud.cfg"]
    for number, row in enumerate(rows[1:]):
        files = row["files"]
        drop_ins = [text for path, text in files.items() if ".cfg.d/" in path] + ["", ""]
        pieces = [row.get("cmdline", ""), files.get("/etc/cloud/cloud.cfg", stock if number == 0 else ""), drop_ins[0], drop_ins[1],
                  files.get("/etc/cloud/ds-identify.cfg", ""), files.get("/var/lib/cloud/seed/nocloud/meta-data", "")]
        yield "cloud_init", str(number), bytes([number % 2]) + "\0".join(pieces).encode()


def boot(work):
    """FAT by mkfs.vfat and mtools, archives by cpio and the compressors, Debian's own grub.cfg."""
    file = os.path.join(work, "file")
    with open(file, "wb") as out:
        out.write(random.Random(2).randbytes(3000))
    for bits, kib in (("12", 64), ("16", 4400), ("32", 100)):
        image = os.path.join(work, "fat" + bits)
        with open(image, "wb") as out:
            out.truncate(kib << 10)
        subprocess.run(["mkfs.vfat", "--invariant", "-s", "1", "-F", bits, image], check=True, stdout=subprocess.DEVNULL)
        if bits != "32":
            subprocess.run(["mmd", "-i", image, "::EFI", "::EFI/BOOT"], check=True)
            for name in ("EFI/BOOT/BOOTX64.EFI", "a name that is too long for one.conf"):
                subprocess.run(["mcopy", "-i", image, file, "::" + name], check=True)
        with open(image, "rb") as read:
            yield "fat", bits, read.read()[: 90 << 10]
    names = []
    for name in ("init", "lib/modules/6.1/kernel/drivers/block/virtio_blk.ko", "lib/modules/6.1/modules.dep"):
        os.makedirs(os.path.dirname(os.path.join(work, "tree", name)), exist_ok=True)
        with open(os.path.join(work, "tree", name), "wb") as out:
            out.write((name * 40).encode())
        names.append(name)
    command = ["cpio", "--quiet", "-o", "-H", "newc", "-D", os.path.join(work, "tree")]
    archive = subprocess.run(command, input="\n".join(names).encode(), check=True, stdout=subprocess.PIPE).stdout
    for command in (["cat"], ["gzip", "-n"], ["xz", "--check=crc32", "--lzma2=dict=4KiB"], ["xz", "--format=lzma", "--lzma1=dict=4KiB"],
                    ["bzip2"], ["zstd", "-q", "-19"], ["lz4", "-q"], ["lz4", "-q", "-l"]):
        packed = subprocess.run(command, input=archive, check=True, stdout=subprocess.PIPE).stdout
        name = "-".join(command).replace("=", "")
        yield "initramfs", name, packed
        yield "initramfs", name + "-after", archive + bytes(4) + packed
    with open(os.path.join(HERE, "../../crates/guest/tests/boot/debian-12-grub.cfg"), "rb") as text:
        yield "boot_config", "grub", b"\0" + text.read()
    for which, text in ((1, b"DEFAULT a\nLABEL a\n MENU LABEL A\n LINUX /k\n INITRD /i\n APPEND root=LABEL=x\n"),
                        (2, b"default=0\ntitle A\nroot (hd0,0)\nkernel /k ro root=/dev/sda1\ninitrd /i\n"),
                        (3, b"root=/dev/sda1\nread-only\nimage=/k\n label=A\n append=quiet\n"),
                        (4, b"title A\nversion 1\nlinux /k\ninitrd /i\noptions $kernelopts ro\ndefault en*\n")):
        yield "boot_config", str(which), bytes([which]) + text


def ext(work):
    """Filesystems by mke2fs, most without checksums so that damage is not found at once; journals by debugfs."""
    tree = os.path.join(work, "ext-tree")
    os.makedirs(os.path.join(tree, "etc/ssh"))
    for path, size in (("etc/hostname", 6), ("etc/ssh/sshd_config", 150), ("large", 30000)):
        with open(os.path.join(tree, path), "wb") as file:
            file.write(bytes(size - 1) + b"x")
    with open(os.path.join(tree, "sparse"), "wb") as file:
        for at in range(0, 60000, 6000):
            file.seek(at)
            file.write(b"island")
    for number in range(30):
        with open(os.path.join(tree, f"etc/some-file-of-a-longer-name-{number}"), "wb"):
            pass
    os.symlink("ssh/sshd_config", os.path.join(tree, "etc/link"))
    os.symlink("x/" * 50, os.path.join(tree, "etc/long"))
    bare = "^metadata_csum,^resize_inode"
    for name, size, options in (
        ("ext2", 300, "-t ext2 -O ^resize_inode"),
        ("old", 300, "-t ext2 -r 0 -O none"),
        ("ext4", 300, f"-t ext4 -O ^has_journal,{bare}"),
        ("inline", 300, f"-t ext4 -O ^has_journal,inline_data,{bare} -I 256"),
        ("bigalloc", 2000, f"-t ext4 -O ^has_journal,bigalloc,{bare} -C 8192"),
        ("meta-bg", 600, f"-t ext4 -O ^has_journal,meta_bg,{bare} -g 256"),
        ("checksums", 300, "-t ext4 -O ^has_journal,^resize_inode"),
        ("ext3-journal", 2200, f"-t ext3 -J size=1 -O {bare}"),
        ("ext4-journal", 2200, f"-t ext4 -J size=1 -O {bare}"),
        ("ext4-journal-v3", 2200, f"-t ext4 -J size=1 -O {bare}"),
    ):
        image = os.path.join(work, "ext")
        with open(image, "wb") as file:
            file.truncate(size << 10)
        command = ["mke2fs", "-q", "-F", "-b", "1024", "-N", "64", *options.split(), "-d", tree, image]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        if "journal-" in name + "-":
            # debugfs 1.47 forgets the checksum of a block of revocations.
            start, revoke = ("jo -c -v 3", "") if name.endswith("v3") else ("jo", "jw -r 200\n")
            script = f"{start}\njw -b 200,201 {tree}/large\n{revoke}jw -b 202 {tree}/large\njc\n"
            quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
            subprocess.run(["debugfs", "-w", "-f", "-", image], input=script.encode(), check=True, **quiet)
        with open(image, "rb") as file:
            yield "ext", name, pieces(file.read())


def network():
    """The cases of the network's and the firewalls' own tests."""
    tests = os.path.join(HERE, "../../crates/guest/tests")
    cases = os.path.join(tests, "firewall/cases")
    for name in sorted(os.listdir(cases)):
        stem, kind = name.rsplit(".", 1)
        path = os.path.join(tests, "firewall/ufw", stem, "etc_ufw_user.rules") if kind == "ufw" else os.path.join(cases, name)
        with open(path, "rb") as file:
            yield {"nft": "nftables", "v4": "iptables", "ufw": "ufw"}[kind], stem, file.read()
    for folder, _, names in os.walk(os.path.join(tests, "network/cases")):
        for name in names:
            with open(os.path.join(folder, name), "rb") as file:
                yield "network_settings", f"{os.path.basename(folder)}-{name}", bytes([name.endswith(".yaml")]) + file.read()
    settings = (
        (2, b"[connection]\nid=a\ntype=ethernet\ninterface-name=eth0\n[ethernet]\nmac-address=52:54:00:12:34:56\n[ipv4]\nmethod=manual\naddress1=192.0.2.1/24,192.0.2.254\ndns=192.0.2.53;\n"),
        (3, b"[Match]\nName=en*\nMACAddress=52:54:00:12:34:56\n[Network]\nDHCP=yes\nAddress=192.0.2.1/24\nDNS=192.0.2.53\n[Link]\nUnmanaged=yes\n"),
        (4, b"[Match]\nMACAddress=52:54:00:12:34:56\n[Link]\nName=lan0\n"),
        (5, b"DEVICE=eth0\nHWADDR=52:54:00:12:34:56\nBOOTPROTO=dhcp\nIPADDR1='192.0.2.1'\nDNS1=192.0.2.53\nONBOOT=yes\n"),
        (6, b"BOOTPROTO='static'\nIPADDR='192.0.2.1/24'\nSTARTMODE='auto'\n"),
        (7, b"denyinterfaces wlan*\ninterface eth0\nstatic ip_address=192.0.2.1/24\n"),
        (8, b'hostname="a"\nifconfig_vtnet0="inet 192.0.2.1/24"\nifconfig_DEFAULT="SYNCDHCP"\n'),
        (9, b'SUBSYSTEM=="net", ATTR{address}=="52:54:00:12:34:56", NAME="eth0"\n'),
        (10, b"nameserver 192.0.2.53\n"),
    )
    for which, text in settings:
        yield "network_settings", f"{which}", bytes([which]) + text
    zone = b'<zone target="DROP"><interface name="eth0"/><service name="ssh"/><port port="20-25" protocol="tcp"/>'
    yield "firewalld", "zone", zone + b'<rule priority="-5" family="ipv4"><source address="10.0.0.0/8" invert="yes"/><service name="x"/><accept/></rule></zone>'


def volumes():
    """The disks of the guest's own tests, by the real tools."""
    tests = os.path.join(HERE, "../../crates/guest/tests")
    read = lambda name: gzip.open(os.path.join(tests, name)).read()
    for name in sorted(os.listdir(os.path.join(tests, "tables"))):
        if name.endswith(".raw.gz"):
            packed = pieces(read(f"tables/{name}")[: 8 << 20])
            if len(packed) < 90_000:
                yield "partition", name[:-7], packed
    lvm = read("layers/lvm.raw.gz")
    area = (6 << 20) + 4096
    length, offset, size = struct.unpack_from("<8xQQ", lvm, area + 24)[0], *struct.unpack_from("<QQ", lvm, area + 40)
    text = (lvm[area + offset : area + length] + lvm[area + 512 :])[:size]
    # The physical volume that lotse_fuzz::volumes makes has an identifier of its own.
    first = text.index(b'id = "', text.index(b"pv0")) + 6
    yield "lvm", "group", text[:first] + b"pppppp-pppp-pppp-pppp-pppp-pppp-pppppp" + text[first + 38 :]
    made, at = read("filesystems/made.raw.gz"), 512
    while made[at]:
        name = made[at : at + 16].rstrip(b"\0").decode()
        length, count = struct.unpack_from("<QQ", made, at + 16)
        image, at = bytearray(min(length, 2 << 20)), at + 32
        for _ in range(count):
            (to,) = struct.unpack_from("<Q", made, at)
            block = made[at + 8 : at + 8 + 4096]
            if to < len(image):
                image[to : to + 4096] = block[: len(image) - to]
            at += 8 + 4096
        packed = pieces(bytes(image))
        if len(packed) < 90_000:
            yield "filesystem", name, packed


with tempfile.TemporaryDirectory() as work:
    total = 0
    for target, name, data in network():
        seed(target, name, data)
        total += len(data)
    for target, name, data in [*images(work), *compressed(), ("raw", "table", disk()[:4096]), ("raw", "empty", bytes(2048))]:
        seed("identify", f"{target}-{name}", data[: 72 << 10] + data[-512:])
        packed = pieces(data) if target in ("vhdx", "vdi", "vmdk") else data
        seed(target, name, packed)
        total += len(packed)
    for target, name, data in [*services(), *packages(work), *cloud_init(work), *boot(work), *ext(work), *volumes()]:
        seed(target, name, data)
        total += len(data)
    print(f"{total} bytes of seeds in {CORPUS}")
