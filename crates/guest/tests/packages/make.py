#!/usr/bin/env python3
"""make.py DEBIAN-13 [DIRECTORY] -- the package databases in this folder, made by the families' own tools, each as one .tar.gz with
the paths of a root filesystem, and beside it what those tools say is in it (NAME.expected).

DEBIAN-13 is a folder with Debian 13 and its rpm, as Debian 12's knows no ndb:
mmdebstrap --variant=essential --include=rpm trixie DEBIAN-13

Debian 12's packages rpm, python3-rpm, db5.3-util, pacman-package-manager, sqlite3. Of portage, apk and FreeBSD's pkg no tool
was at hand: their databases are written here as their documentation says (portage(5); apk-package(5); pkg's schema in
libpkg/private/pkgdb_schema.h), the expected list beside them from the same source.

    rpm-sqlite      rpm 4.18 installs some packages
    rpm-wal         the same, one more installed and one erased while a reader keeps the log: both stand in -wal only
    rpm-wal-torn    the same, cut in the middle of the last transaction's frames
    rpm-ndb         rpm 4.20 with %_db_backend ndb; one package was erased and one upgraded
    rpm-berkeley    rpm's headers out of rpm-sqlite, put into a hash by Berkeley DB's own db_load; rpm's bdb_ro reads it
    rpm-berkeley-be the same with the other byte order and pages of 512 bytes
    pacman, dpkg    pacman and dpkg install some packages
    dpkg-stopped    dpkg was killed in the middle: what it did last stands in its updates only
"""
import io, os, shutil, sqlite3, struct, subprocess, sys, tarfile, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
DEBIAN_13 = sys.argv[1]
OUT = sys.argv[2] if len(sys.argv) > 2 else HERE
WORK = tempfile.mkdtemp()
FORMAT = r"%{NAME} %|EPOCH?{%{EPOCH}:}|%{VERSION}-%{RELEASE} %{ARCH}\n"

# Name, epoch, version, release, architecture, kilobytes of description.
PACKAGES = [
    ("openssh-server", None, "9.9p1", "7.el10_0", "x86_64", 1),
    ("cloud-init", None, "24.4", "3.el10", "noarch", 1),
    ("bind-utils", 32, "9.18.33", "1.el10", "x86_64", 1),
    ("glibc", None, "2.39~pre1", "37.el10", "x86_64", 1),
    # So long that the architecture stands far behind the beginning, and pages overflow.
    ("wordy", None, "1", "1", "noarch", 20),
    ("snapshot", None, "1.0^git5.abc", "0.1", "noarch", 1),
]


def run(*command, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def build(name, epoch, version, release, architecture, kilobytes):
    spec = os.path.join(WORK, name + ".spec")
    lines = [f"line {number} of what {name} is for" for number in range(kilobytes * 32)]
    with open(spec, "w") as file:
        file.write(
            f"Name: {name}\nVersion: {version}\nRelease: {release}\n"
            + (f"Epoch: {epoch}\n" if epoch else "")
            + ("BuildArch: noarch\n" if architecture == "noarch" else "")
            + f"Summary: {name}\nLicense: MIT\n%description\n" + "\n".join(lines) + "\n%files\n"
        )
    target = [] if architecture == "noarch" else ["--target", architecture]
    run("rpmbuild", "-bb", *target, "--define", f"_topdir {WORK}/build", spec, stderr=subprocess.DEVNULL)
    return os.path.join(WORK, "build/RPMS", architecture, f"{name}-{version}-{release}.{architecture}.rpm")


def rpm(backend, folder, *arguments):
    return run("rpm", "--define", f"_db_backend {backend}", "--dbpath", folder, *arguments, stderr=subprocess.DEVNULL)


def install(backend, folder, *files):
    rpm(backend, folder, "-i", "--justdb", "--nodeps", "--ignorearch", "--nosignature", *files)


def expected(name, text):
    with open(os.path.join(OUT, name + ".expected"), "w") as file:
        file.write("".join(sorted(line + "\n" for line in text.splitlines() if line)))


def pack(name, files):
    """files: path inside the root -> file or bytes."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for path, content in sorted(files.items()):
            if isinstance(content, str):
                with open(content, "rb") as file:
                    content = file.read()
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    packed = subprocess.run(["gzip", "-9n"], input=raw.getvalue(), stdout=subprocess.PIPE, check=True).stdout
    with open(os.path.join(OUT, name + ".tar.gz"), "wb") as file:
        file.write(packed)


def rpm_sqlite(packages):
    folder = os.path.join(WORK, "sqlite")
    install("sqlite", folder, *packages[:-1])
    pack("rpm-sqlite", {"/var/lib/rpm/rpmdb.sqlite": folder + "/rpmdb.sqlite"})
    expected("rpm-sqlite", rpm("sqlite", folder, "-qa", "--qf", FORMAT))
    berkeley(folder)

    # A reader of the old state keeps rpm from writing the log back when it ends.
    reader = sqlite3.connect(folder + "/rpmdb.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM Packages").fetchone()
    install("sqlite", folder, packages[-1])
    installed = os.path.getsize(folder + "/rpmdb.sqlite-wal")
    rpm("sqlite", folder, "-e", "--justdb", "--nodeps", "cloud-init")
    files = {}
    for ending in ("", "-wal"):
        shutil.copy(folder + "/rpmdb.sqlite" + ending, WORK + "/copy" + ending)
        files["/usr/lib/sysimage/rpm/rpmdb.sqlite" + ending] = WORK + "/copy" + ending
    pack("rpm-wal", files)
    expected("rpm-wal", rpm("sqlite", folder, "-qa", "--qf", FORMAT))
    # Cut inside the last transaction, the removal: what SQLite itself makes of it is expected.
    torn = os.path.join(WORK, "torn")
    os.mkdir(torn)
    for ending in ("", "-wal"):
        shutil.copy(WORK + "/copy" + ending, torn + "/rpmdb.sqlite" + ending)
    with open(torn + "/rpmdb.sqlite-wal", "r+b") as file:
        file.truncate(installed + 6000)
    files = {}
    for ending in ("", "-wal"):
        with open(torn + "/rpmdb.sqlite" + ending, "rb") as file:
            files["/usr/lib/sysimage/rpm/rpmdb.sqlite" + ending] = file.read()
    pack("rpm-wal-torn", files)
    expected("rpm-wal-torn", rpm("sqlite", torn, "-qa", "--qf", FORMAT))


def berkeley(folder):
    database = sqlite3.connect(f"file:{folder}/rpmdb.sqlite?mode=ro", uri=True)
    rows = database.execute("SELECT hnum, blob FROM Packages").fetchall()
    for name, order, page_size in (("rpm-berkeley", "1234", "4096"), ("rpm-berkeley-be", "4321", "512")):
        sign = "<" if order == "1234" else ">"
        records = [(struct.pack(sign + "I", 0), struct.pack(sign + "I", max(row[0] for row in rows)))]
        records += [(struct.pack(sign + "I", number), blob) for number, blob in rows]
        dump = "VERSION=3\nformat=bytevalue\ntype=hash\nHEADER=END\n"
        dump += "".join(f" {key.hex()}\n {value.hex()}\n" for key, value in records) + "DATA=END\n"
        out = os.path.join(WORK, name)
        os.mkdir(out)
        settings = ["-c", "db_lorder=" + order, "-c", "db_pagesize=" + page_size]
        subprocess.run(["db5.3_load", *settings, out + "/Packages"], input=dump, text=True, check=True)
        run("db5.3_verify", out + "/Packages")
        pack(name, {"/var/lib/rpm/Packages": out + "/Packages"})
        if order == "1234":
            expected(name, rpm("bdb_ro", out, "-qa", "--qf", FORMAT))
        else:
            shutil.copy(os.path.join(OUT, "rpm-berkeley.expected"), os.path.join(OUT, name + ".expected"))


def rpm_ndb(packages, upgrade):
    place = os.path.join(DEBIAN_13, "tmp/ndb")
    shutil.rmtree(place, ignore_errors=True)
    os.mkdir(place)
    inside = [os.path.join("/tmp/ndb", os.path.basename(shutil.copy(file, place))) for file in [*packages, upgrade]]
    ndb = ["chroot", DEBIAN_13, "rpm", "--define", "_db_backend ndb", "--dbpath", "/tmp/ndb/db"]
    force = ["--justdb", "--nodeps", "--ignorearch", "--nosignature"]
    run(*ndb, "-i", *force, *inside[:-1])
    run(*ndb, "-e", "--justdb", "--nodeps", "glibc")
    run(*ndb, "-U", *force, inside[-1])
    pack("rpm-ndb", {"/usr/lib/sysimage/rpm/Packages.db": place + "/db/Packages.db"})
    expected("rpm-ndb", run(*ndb, "-qa", "--qf", FORMAT))
    shutil.rmtree(place)


def pacman():
    root = os.path.join(WORK, "pacman")
    files = []
    for name, version, architecture in (("openssh", "9.9p2-1", "x86_64"), ("cloud-init", "25.2-1", "any"),
                                        ("zlib", "1:1.3.1-2", "x86_64"), ("gcc-libs", "14.2.1+r753+g1cd744a6828f-1", "x86_64")):
        info = f"pkgname = {name}\npkgbase = {name}\npkgver = {version}\npkgdesc = x\nurl = x\nbuilddate = 1\npackager = x\nsize = 0\narch = {architecture}\n"
        file = os.path.join(WORK, f"{name}-{version.replace(':', '_')}-{architecture}.pkg.tar.gz")
        with tarfile.open(file, "w:gz") as tar:
            entry = tarfile.TarInfo(".PKGINFO")
            entry.size = len(info)
            tar.addfile(entry, io.BytesIO(info.encode()))
        files.append(file)
    config = os.path.join(WORK, "pacman.conf")
    with open(config, "w") as file:
        file.write("[options]\nArchitecture = x86_64\nSigLevel = Never\nLocalFileSigLevel = Never\n")
    os.makedirs(root + "/var/lib/pacman")
    common = ["pacman", "--root", root, "--config", config, "--dbpath", root + "/var/lib/pacman"]
    run(*common, "--noconfirm", "-U", *files, stderr=subprocess.DEVNULL)
    found = {}
    for folder, _, names in os.walk(root + "/var/lib/pacman/local"):
        for name in names:
            path = os.path.join(folder, name)
            found[path[len(root):]] = path
    pack("pacman", found)
    info = run(*common, "-Qi", env={**os.environ, "LC_ALL": "C"})
    fields = [dict(line.split(" : ", 1) for line in block.splitlines() if " : " in line) for block in info.split("\n\n") if block]
    get = lambda block, field: next(value for key, value in block.items() if key.strip() == field)
    expected("pacman", "\n".join(" ".join(get(block, field) for field in ("Name", "Version", "Architecture")) for block in fields))


def dpkg():
    root = os.path.join(WORK, "dpkg")
    os.makedirs(root + "/var/lib/dpkg/info")
    os.makedirs(root + "/var/lib/dpkg/updates")
    open(root + "/var/lib/dpkg/status", "w").close()
    files = []
    for name, version, conffile, fails in (("cloud-init", "22.4.2-1+deb12u4", False, ""), ("openssh-server", "1:9.2p1-2+deb12u3", True, ""),
                                           ("broken", "0.1~rc1-1", False, "exit 1"), ("stopping", "1:2-3", False, "kill -9 $PPID")):
        folder = os.path.join(WORK, "deb", name)
        os.makedirs(folder + "/DEBIAN")
        os.makedirs(folder + "/etc")
        with open(folder + "/DEBIAN/control", "w") as file:
            file.write(f"Package: {name}\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@example.org>\nDescription: x\n y\n")
        # dpkg forgets a package that has no file of its own.
        with open(f"{folder}/etc/{name}", "w") as file:
            file.write("x\n")
        if conffile:
            with open(folder + "/DEBIAN/conffiles", "w") as file:
                file.write(f"/etc/{name}\n")
        if fails:
            with open(folder + "/DEBIAN/postinst", "w") as file:
                file.write(f"#!/bin/sh\n{fails}\n")
            os.chmod(folder + "/DEBIAN/postinst", 0o755)
        files.append(folder + ".deb")
        run("dpkg-deb", "--root-owner-group", "-b", folder, files[-1])
    common = ["dpkg", "--force-not-root", "--force-script-chrootless", "--root", root, "--log", os.devnull]
    run(*common, "-i", *files[:2])
    subprocess.run([*common, "-i", files[2]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run(*common, "--remove", "openssh-server")
    pack("dpkg", {"/var/lib/dpkg/status": root + "/var/lib/dpkg/status"})
    query = ["dpkg-query", "--admindir", root + "/var/lib/dpkg", "-W", "-f", r"${Package} ${Version} ${Architecture} ${db:Status-Status}\n"]
    expected("dpkg", run(*query))
    # Stopped in the middle: what was done last stands in `updates` only, until the next dpkg that may write.
    run(*common, "--purge", "broken")
    subprocess.run([*common, "-i", files[3]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    updates = root + "/var/lib/dpkg/updates"
    found = {"/var/lib/dpkg/updates/" + name: os.path.join(updates, name) for name in os.listdir(updates)}
    assert found
    pack("dpkg-stopped", {"/var/lib/dpkg/status": root + "/var/lib/dpkg/status", **found})
    run(*common, "--set-selections", input="")
    expected("dpkg-stopped", run(*query))


def written():
    """Databases whose tools are not at hand, as their documentation has them."""
    pack("apk", {"/lib/apk/db/installed": b"".join(
        f"C:Q1{number:026d}=\nP:{name}\nV:{version}\nA:x86_64\nS:1\nI:1\nT:x\nU:x\nL:MIT\no:{name}\nm:x\nt:1\nc:0\nF:etc\nR:x\na:0:0:755\nZ:Q1x=\n\n".encode()
        for number, (name, version) in enumerate((("openssh-server", "9.9_p2-r0"), ("cloud-init", "25.1.4-r0"), ("busybox", "1.37.0-r12"))))})
    expected("apk", "openssh-server 9.9_p2-r0 x86_64\ncloud-init 25.1.4-r0 x86_64\nbusybox 1.37.0-r12 x86_64")
    portage = {}
    for path in ("net-misc/openssh-9.9_p2-r1", "app-emulation/cloud-init-24.4.1", "dev-libs/gtk+-2.24.33-r3"):
        for file, value in (("CHOST", "x86_64-pc-linux-gnu\n"), ("SLOT", "0\n"), ("EAPI", "8\n")):
            portage[f"/var/db/pkg/{path}/{file}"] = value.encode()
    pack("portage", portage)
    expected("portage", "net-misc/openssh 9.9_p2-r1 x86_64\napp-emulation/cloud-init 24.4.1 x86_64\ndev-libs/gtk+ 2.24.33-r3 x86_64")
    file = os.path.join(WORK, "local.sqlite")
    database = sqlite3.connect(file)
    database.execute("CREATE TABLE packages (id INTEGER PRIMARY KEY, origin TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL, "
                     "comment TEXT NOT NULL, desc TEXT NOT NULL, mtree_id INTEGER, message TEXT, arch TEXT NOT NULL, maintainer TEXT NOT NULL, "
                     "www TEXT, prefix TEXT NOT NULL, flatsize INTEGER NOT NULL, automatic INTEGER NOT NULL, locked INTEGER NOT NULL DEFAULT 0, "
                     "licenselogic INTEGER NOT NULL, time INTEGER, manifestdigest TEXT NULL, pkg_format_version INTEGER, dep_formula TEXT NULL, vital INTEGER NOT NULL DEFAULT 0)")
    database.execute("CREATE UNIQUE INDEX packages_unique ON packages(name)")
    # pkg's own has some views with triggers, which must not keep it from being read.
    database.execute("CREATE VIEW views AS SELECT id, name FROM packages")
    database.execute("CREATE TRIGGER views_update INSTEAD OF UPDATE ON views FOR EACH ROW BEGIN UPDATE packages SET name = new.name WHERE id = old.id; END")
    rows = [("net/cloud-init", "py311-cloud-init", "24.1.4_1"), ("ports-mgmt/pkg", "pkg", "1.21.3"), ("lang/python311", "python311", "3.11.10,1")]
    add = "INSERT INTO packages(origin, name, version, comment, desc, arch, maintainer, prefix, flatsize, automatic, licenselogic) VALUES (?, ?, ?, '', '', 'FreeBSD:14:amd64', '', '/usr/local', 0, 0, 1)"
    database.executemany(add, rows)
    database.commit()
    pack("freebsd", {"/var/db/pkg/local.sqlite": file})
    text = "\n".join(f"{name} {version} FreeBSD:14:amd64" for _, name, version in rows)
    expected("freebsd", text)
    # A change that was never ended: its journal must be played back. Small caches and long rows make SQLite write before
    # the end.
    database.executemany(add.replace("''", "printf('%.1000c', 'x')", 1), [("x", f"filler{number}", "1") for number in range(40)])
    database.commit()
    database.execute("PRAGMA cache_size = 1")
    database.execute("PRAGMA cache_spill = 1")
    database.execute("BEGIN")
    database.execute("UPDATE packages SET version = '0'")
    database.execute("DELETE FROM packages WHERE name = 'pkg'")
    shutil.copy(file, WORK + "/hot")
    shutil.copy(file + "-journal", WORK + "/hot-journal")
    database.rollback()
    pack("freebsd-journal", {"/var/db/pkg/local.sqlite": WORK + "/hot", "/var/db/pkg/local.sqlite-journal": WORK + "/hot-journal"})
    # What SQLite itself sees after it has played the journal back.
    played = sqlite3.connect(WORK + "/hot").execute("SELECT name || ' ' || version || ' ' || arch FROM packages").fetchall()
    expected("freebsd-journal", "\n".join(row[0] for row in played))


built = [build(*package) for package in PACKAGES]
upgrade = build("openssh-server", None, "9.9p1", "8.el10_1", "x86_64", 1)
rpm_sqlite(built)
rpm_ndb(built, upgrade)
pacman()
dpkg()
written()
shutil.rmtree(WORK)
