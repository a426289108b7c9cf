#!/usr/bin/env python3
"""make.py -- what netplan and ifupdown themselves make of each system in cases/: writes expected.txt. Needs netplan.io, ifupdown.

One line an interface: case, name, hardware address, up at boot, DHCPv4, addresses, DNS servers; `-` for none.
Addresses without their length, which the two write in their own ways."""
import glob, os, re, shutil, subprocess, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))


def words(values):
    return ",".join(values) or "-"


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def netplan(root):
    run("netplan", "generate", "--root-dir", root)
    for path in sorted(glob.glob(f"{root}/run/systemd/network/*.network")):
        entries = [line.strip().split("=", 1) for line in open(path) if "=" in line]
        get = lambda key: [value for name, value in entries if name == key]
        # A name that netplan itself gives (set-name, by a .link file) is no condition.
        link = path[: -len("network")] + "link"
        given = os.path.exists(link) and "Name=" in open(link).read()
        # The order of addresses says nothing.
        yield ("-" if given else words(get("Name")), words(get("PermanentMACAddress") or get("MACAddress")), "up", "dhcp" if get("DHCP") and get("DHCP")[0] in ("yes", "ipv4") else "-", words(sorted(a.split("/")[0] for a in get("Address"))), words(sorted(get("DNS"))))


def ifupdown(root):
    # It knows no other root: paths that begin with /etc are written anew.
    path = f"{root}/etc/network/interfaces"
    for one in glob.glob(f"{root}/etc/network/**/*", recursive=True):
        if os.path.isfile(one):
            text = open(one).read().replace(" /etc/network", f" {root}/etc/network")
            open(one, "w").write(text)
    up = set(run("ifquery", "-i", path, "--list").split()) | set(run("ifquery", "-i", path, "--list", "--allow=hotplug").split())
    names = set(up)
    for one in glob.glob(f"{root}/etc/network/**/*", recursive=True):
        if os.path.isfile(one):
            names |= {m for m in re.findall(r"^iface (\S+)", open(one).read(), re.M)}
    for name in sorted(names):
        asked = subprocess.run(["ifquery", "-i", path, name], capture_output=True, text=True)
        if asked.returncode != 0:
            continue
        plan = subprocess.run(["ifup", "-i", path, "--no-act", "--force", "--no-scripts", "-v", name], capture_output=True, text=True)
        text = plan.stdout + plan.stderr
        dhcp = any(re.search(r"dhclient|udhcpc|dhcpcd|DHCP client", line) and " -6" not in line for line in text.splitlines() if not line.startswith("Configuring"))
        options = [line.split(": ", 1) for line in asked.stdout.splitlines() if ": " in line]
        get = lambda *keys: sorted(word for key, value in options if key in keys for word in value.split())
        address = [value for key, value in options if key == "address"]
        yield (name, "-", "up" if name in up else "-", "dhcp" if dhcp else "-", words(sorted(address)), words(get("dns-nameservers")))


with open(os.path.join(HERE, "expected.txt"), "w") as file:
    for case in sorted(os.listdir(os.path.join(HERE, "cases"))):
        with tempfile.TemporaryDirectory() as work:
            root = os.path.join(work, "root")
            shutil.copytree(os.path.join(HERE, "cases", case), root)
            for line in (netplan if case.startswith("netplan") else ifupdown)(root):
                file.write(" ".join((case, *line)) + "\n")
