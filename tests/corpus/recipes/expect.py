"""Writes down what the reader must find in an image, as the tools tell it.

`table DISK` asks sfdisk; `release TREE`, `datasources TREE` and `sshd TREE` ask the system's own files through the tools that read them at
boot; each prints lines of `fact<TAB>JSON`. `write` makes one nested JSON object of such lines.
"""

import glob
import json
import os
import subprocess
import sys


def output(*command):
    """What a command prints, whatever its exit status (`systemctl is-enabled` fails for `disabled`)."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False).stdout.strip()


def say(fact, value):
    print(f"{fact}\t{json.dumps(value)}")


def table(disk):
    found = json.loads(subprocess.run(["sfdisk", "-J", disk], stdout=subprocess.PIPE, text=True, check=True).stdout)["partitiontable"]
    sector = found.get("sectorsize", 512)
    say("table.kind", {"gpt": "gpt", "dos": "mbr"}[found["label"]])
    say("table.sector_size", sector)
    partitions = []
    for partition in found["partitions"]:
        kind = partition["type"].lower()
        partitions.append(
            {
                "number": int(partition["node"].removeprefix(disk).lstrip("p")),
                "offset": partition["start"] * sector,
                "len": partition["size"] * sector,
                "type_id": kind if found["label"] == "gpt" else f"{int(kind, 16):02x}",
            }
        )
    say("table.partitions", sorted(partitions, key=lambda partition: partition["number"]))


def release(tree):
    """os-release as systemd's own reader would take it: a shell's assignments."""
    fields = output("env", "-i", "/bin/sh", "-c", f'. "{tree}/etc/os-release" && printf "%s\\n" "$ID" "$VERSION_ID" "$PRETTY_NAME"')
    distribution, version, name = fields.split("\n")
    say("system.family", "linux")
    say("system.distribution", distribution)
    if version:
        say("system.version", version)
    say("system.name", name)


def datasources(tree):
    """The list as cloud-init's own code merges it, without `None` where it is given as nothing."""
    from cloudinit import settings, util

    config = util.read_conf_with_confd(f"{tree}/etc/cloud/cloud.cfg")
    say("datasources", util.mergemanydict([config, settings.CFG_BUILTIN])["datasource_list"])


def sshd(tree):
    """What OpenSSH itself makes of the configuration."""
    def moved(path):
        text = open(path, encoding="utf-8").read()
        copy = "/tmp/sshd-" + path.replace("/", "_")
        with open(copy, "w", encoding="utf-8") as file:
            for line in text.splitlines():
                words = line.split()
                if words[:1] == ["Include"]:
                    for part in sorted(glob.glob(tree + words[1])):
                        file.write(f"Include {moved(part)}\n")
                else:
                    file.write(line + "\n")
        return copy

    path = next(path for path in (f"{tree}/etc/ssh/sshd_config", f"{tree}/usr/etc/ssh/sshd_config") if os.path.exists(path))
    os.makedirs("/run/sshd", exist_ok=True)
    tell_sshd(output("/usr/sbin/sshd", "-T", "-f", moved(path), "-h", host_key()))


def host_key():
    if not os.path.exists("/tmp/hostkey"):
        output("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/tmp/hostkey")
    return "/tmp/hostkey"


def tell_sshd(effective):
    fields = {}
    for line in effective.splitlines():
        key, _, value = line.partition(" ")
        fields.setdefault(key, []).append(value)
    say("sshd.ports", [int(port) for port in fields["port"]])
    # Its older name, which -T still tells.
    say("sshd.permit_root_login", fields["permitrootlogin"][0].replace("without-password", "prohibit-password"))
    say("sshd.pubkey_authentication", fields["pubkeyauthentication"][0] == "yes")
    say("sshd.password_authentication", fields["passwordauthentication"][0] == "yes")


def write():
    expected = {}
    for line in sys.stdin:
        fact, _, value = line.rstrip("\n").partition("\t")
        *groups, name = fact.split(".")
        place = expected
        for group in groups:
            place = place.setdefault(group, {})
        place[name] = json.loads(value)
    json.dump(expected, sys.stdout, indent=2)
    print()


if __name__ == "__main__":
    {"table": table, "release": release, "datasources": datasources, "sshd": sshd, "write": write}[sys.argv[1]](*sys.argv[2:])
