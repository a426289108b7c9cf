"""Tells, from inside the new system and by its own tools, what an image made from it must be found to contain.

`facts` prints lines of `fact<TAB>JSON`; `files ROOT` prints one JSON object a line for everything under ROOT. Runs with Python 3.9, too.
"""

import hashlib
import json
import os
import stat
import sys

sys.path.insert(0, "/tmp")
from expect import output, release, say, tell_sshd

# cloud-init 24.3 renamed its services; each of these has the others in its wake.
CLOUD_INIT_UNITS = ["cloud-init-main.service", "cloud-init.service"]


def package(name):
    """(installed, version) as dpkg's database has it."""
    state, _, version = output("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}\t${Version}", name).partition("\t")
    return state.startswith("ii"), version


def enabled(*units):
    return any(output("systemctl", "--root=/", "is-enabled", unit) == "enabled" for unit in units)


def facts():
    from cloudinit import stages

    init = stages.Init(ds_deps=[])
    init.read_cfg()
    agent_installed, agent_version = package("cloud-init")
    sshd_installed, sshd_version = package("openssh-server")
    assert agent_installed and sshd_installed, "the recipe asks for both"
    release("")
    say("system.architecture", os.uname().machine)
    say("agent.kind", "cloud-init")
    say("agent.version", agent_version)
    say("agent.enabled", enabled(*CLOUD_INIT_UNITS))
    say("login", init.distro.get_default_user()["name"])
    say("datasources", init.cfg["datasource_list"])
    say("sshd.installed", sshd_installed)
    say("sshd.enabled", enabled("ssh.service", "ssh.socket"))
    os.makedirs("/run/sshd", exist_ok=True)
    tell_sshd(output("/usr/sbin/sshd", "-T"))
    # By hand: nothing filters packets on a stock system, and no identity is handed out (debian-filesystem.sh).
    say("firewall", "everybody")
    say("machine_id", "empty")
    states = output("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}\n").split("\n")
    say("packages", {"dpkg": sum(not state.startswith(("rc", "un")) for state in states)})
    kernels = sorted(os.listdir("/lib/modules")) if os.path.isdir("/lib/modules") else []
    say("boot.kernels", kernels)


def digest(path):
    found = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            found.update(chunk)
    return found.hexdigest()


def entry(root, path):
    status = os.lstat(path)
    mode = status.st_mode
    found = {
        # Names are bytes; a name that is not UTF-8 comes as surrogates, which JSON keeps as escapes.
        "path": "/" + os.path.relpath(path, root) if path != root else "/",
        "mode": stat.S_IMODE(mode),
        "uid": status.st_uid,
        "gid": status.st_gid,
    }
    if stat.S_ISREG(mode):
        found.update({"type": "file", "size": status.st_size, "sha256": digest(path)})
    elif stat.S_ISLNK(mode):
        found.update({"type": "symlink", "target": os.readlink(path)})
    elif stat.S_ISDIR(mode):
        found.update({"type": "directory"})
    else:
        found.update({"type": "other"})
    return found


def files(root):
    yield entry(root, root)
    for folder, names, others in os.walk(root):
        for name in sorted(names + others):
            yield entry(root, os.path.join(folder, name))


if sys.argv[1] == "facts":
    facts()
else:
    for each in files(sys.argv[2]):
        print(json.dumps(each))
