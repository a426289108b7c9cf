#!/usr/bin/env python3
"""Writes what the families' own tools say of pairs of versions: dpkg, rpm (python3-rpm), vercmp (pacman-package-manager)
and portage (PyPI). apk.txt and freebsd.txt are not made here, as neither tool is packaged where this ran: they hold
expectations out of apk-tools' test/version.data and of FreeBSD's pkg's own tests and Porter's Handbook.

Run: /usr/bin/python3 make.py PATH_OF_THE_UNPACKED_PORTAGE"""
import itertools, os, random, subprocess, sys

HERE = os.path.dirname(os.path.abspath(__file__))
PAIRS = 320

DPKG = """0.7.7 0.7.7-1 0.7.7~bzr1256-0ubuntu1~16.04.1 0.7.10-1 1:0.7.5-1 0:0.7.7 22.4.2-1+deb12u4 22.4.2-1 22.4.2-1~bpo11+1
22.4.2-1+b1 1.0 1.0-0 1.0-1 1.0~rc1-1 1.0~~ 1.0~ 1.0+dfsg-1 1.0+dfsg1-1 1.0.+1 1.0a 1.0a1 1.0.0 1.00 1.01 1.1 1.10 1.9
1-1-1 1-1.1-1 2:1 10:1 1:1-1:2 9.2p1-2+deb12u3 1:9.2p1-2 1.2.3-4.1 1.2.3-4+really1 1.0A 1.0Z 1.0.a 1.0-a~ 1.0-a
99999999999999999999 100000000000000000000""".split()

RPM = """1.0-1 1.0-2 1.0-10 1.0~rc1-1 1.0~rc2-1 1.0~~-1 1.0^-1 1.0^git1-1 1.0^git2-1 1.0^git1~pre-1 1.0.1-1 1.0a-1 1.0a1-1
1.0.a-1 1-1 1.00-1 1.01-1 1.1-1 1:0.9-1 0:1.0-1 10:1-1 2-0.1.rc1.el7 2-1.el7 2-1.el7_9 2-1.el7.centos 2-1.el7.centos.1
22.1-5.el9.0.1 22.1-5.el9 23.4-7.el9_4.3 0.7.5-10.el7.centos.1 0.7.7-1 0.7.9-24.el7 1.0_1-1 1.0+1-1 1.0_a-1 1.A-1 1.a-1 1.b-1
5.5p1-1 5.5p10-1 5p-1 xyz10-1 xyz.4-1 8-1 2.0.1a-1 2.0.1-1 20040101-1 010-1 1.0- 1.0.-1 1.-1 99999999999999999999-1""".split()

PACMAN = """1.0-1 1.0-2 1.0-1.1 1.0-1.10 1.0rc1-1 1.0beta-1 1.0a-1 1.0b-1 1.0.1-1 1.0.a-1 1.0.rc1-1 1:0.9-1 0:1.0-1 2:0-1 1.0
1.00-1 1.01-1 1.1-1 1..0-1 1..0 1_0-1 1-1 1.0.-1 1.0.0-1 1.0..1-1 25.2-1 9.9p2-1 9.9p1-1 9.9.p1-1 r100.abc-1 r99.abc-1
20240101-1 1.0+r5+gabc-1 1.0+r10+gabc-1 1.0.r5.gabc-1 1.0alpha-1 1.0pre1-1 a-1 b-1 1.a-1 1.0+5-1 1.5.1-1 1.5.b-1 1.5b-1""".split()

PORTAGE = """1 1.0 1.00 1.000 1.0.0 1.01 1.1 1.10 1.010 1.001 1.9 1a 1.0a 1.0b 1.0.1 12.2.5 12.2b 1.0_alpha 1.0_alpha1 1.0_alpha2
1.0_beta 1.0_pre 1.0_pre20240101 1.0_rc 1.0_rc1 1.0_p 1.0_p0 1.0_p1 1.0_p10 1.0_p2 1.0_alpha_p1 1.0_alpha_pre2 1.0_p1_rc1 1.0-r1
1.0-r10 1.0-r0 1.0_p1-r1 1.0_rc1-r2 01 001 9.9_p2 9.9_p2-r1 4.2.52_p4-r2 2.12r-r4 20060811 1.0a_p1 25.2 24.4.1-r1 0.7.7
99999999999999999999 100000000000000000000""".split()


def pairs(versions):
    every = list(itertools.combinations(sorted(set(versions)), 2))
    random.Random(4).shuffle(every)
    return sorted(pair if random.Random(str(pair)).random() < 0.5 else pair[::-1] for pair in every[:PAIRS])


def write(family, versions, compare):
    with open(os.path.join(HERE, family + ".txt"), "w") as file:
        for left, right in pairs(versions):
            result = compare(left, right)
            file.write(f"{left} {'<' if result < 0 else '>' if result > 0 else '='} {right}\n")


def dpkg(left, right):
    for operator, result in (("lt", -1), ("gt", 1), ("eq", 0)):
        if subprocess.run(["dpkg", "--compare-versions", left, operator, right]).returncode == 0:
            return result
    raise ValueError((left, right))


def label(text):
    import re
    epoch, version, release = re.match(r"^(?:([0-9]*):)?(.*?)(?:-([^-]*))?$", text).groups()
    return (epoch or "0", version, release)


def rpm(left, right):
    import rpm
    return rpm.labelCompare(label(left), label(right))


def vercmp(left, right):
    return int(subprocess.check_output(["vercmp", left, right]))


def portage(left, right):
    from portage.versions import vercmp as compare
    return compare(left, right)


if __name__ == "__main__":
    sys.path.insert(0, sys.argv[1])
    write("dpkg", DPKG, dpkg)
    write("rpm", RPM, rpm)
    write("pacman", PACMAN, vercmp)
    write("portage", PORTAGE, portage)
