"""Tells, from inside the new system and by its own tools, what an image made from it must be found to contain.

`facts` prints one JSON object in the shape of the report; `files ROOT` prints one JSON object a line for everything under ROOT.
"""

import hashlib
import json
import os
import stat
import subprocess
import sys


def output(*command):
    """What a command prints, whatever its exit status (`systemctl is-enabled` fails for `disabled`)."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()


def package(name):
    """(installed, version) as dpkg's database has it."""
    state, _, version = output("dpkg-query", "--show", "--showformat=${db:Status-Abbrev}\t${Version}", name).partition("\t")
    return state.startswith("ii"), version


def facts():
    from cloudinit import stages

    init = stages.Init(ds_deps=[])
    init.read_cfg()
    os_release = dict(line.rstrip("\n").split("=", 1) for line in open("/etc/os-release", encoding="utf-8") if "=" in line)
    os_release = {key: value.strip('"') for key, value in os_release.items()}
    agent_installed, agent_version = package("cloud-init")
    sshd_installed, sshd_version = package("openssh-server")
    assert agent_installed and sshd_installed, "the recipe asks for both"
    return {
        "os": {
            "family": os.uname().sysname.lower(),
            "distribution": os_release["ID"],
            "version": os_release["VERSION_ID"],
            "architecture": os.uname().machine,
        },
        "agent": {
            "kind": "cloud-init",
            "version": agent_version,
            "enabled": output("systemctl", "--root=/", "is-enabled", "cloud-init.service") == "enabled",
        },
        "datasources": {"list": init.cfg["datasource_list"]},
        "sshd": {
            "installed": sshd_installed,
            "version": sshd_version,
            "enabled": output("systemctl", "--root=/", "is-enabled", "ssh.service") == "enabled",
        },
    }


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
        with open(path, "rb") as file:
            found |= {"type": "file", "size": status.st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}
    elif stat.S_ISLNK(mode):
        found |= {"type": "symlink", "target": os.readlink(path)}
    elif stat.S_ISDIR(mode):
        found |= {"type": "directory"}
    else:
        found |= {"type": "other"}
    return found


def files(root):
    yield entry(root, root)
    for folder, names, others in os.walk(root):
        for name in sorted(names + others):
            yield entry(root, os.path.join(folder, name))


if sys.argv[1] == "facts":
    print(json.dumps(facts(), indent=2))
else:
    for each in files(sys.argv[2]):
        print(json.dumps(each))
