#!/usr/bin/env python3
"""Makes cases.json: small trees of units and which of them systemd itself starts.

Run as root on a Debian with systemd (252 made the file that is checked in), in a mount namespace of its own:
    unshare --mount python3 cases.py > cases.json
Each tree is laid over this machine's unit folders; `systemctl preset-all` does what a first boot does, and
`systemd --test` tells the transaction of the boot.
"""
import json, os, random, re, shutil, subprocess, sys

ETC, LIB, LOCAL = "/etc/systemd/system", "/usr/lib/systemd/system", "/usr/local/lib/systemd/system"
OVERLAID = ["/etc/systemd", "/usr/lib/systemd/system", "/usr/lib/systemd/system-preset", "/usr/local/lib/systemd",
            "/usr/lib/systemd/system-generators", "/run", "/etc/init.d", "/etc/rc3.d", "/etc/rc5.d"]
BASE = {
    LIB + "/default.target": {"link": "graphical.target"},
    LIB + "/graphical.target": "[Unit]\nRequires=multi-user.target\n",
    LIB + "/multi-user.target": "[Unit]\nRequires=basic.target\n",
    LIB + "/basic.target": "[Unit]\nRequires=sysinit.target\nWants=sockets.target\n",
    LIB + "/sysinit.target": "[Unit]\nDescription=x\n",
    LIB + "/sockets.target": "[Unit]\nDescription=x\n",
    LIB + "/rescue.target": "[Unit]\nRequires=sysinit.target\nWants=rescue.service\n",
    LIB + "/rescue.service": "[Service]\nExecStart=/bin/true\n",
}
SERVICES = ["a.service", "b.service", "c.service", "d.service", "e-f.service"]
TEMPLATES = ["t@.service"]
ALIASES = ["x.service", "y.service"]
NAMES = SERVICES + ALIASES + ["t@1.service", "gone.service"]
TARGETS = ["multi-user.target", "graphical.target", "default.target", "rescue.target", "own.target"]


def unit(rng, service=True):
    text = "[Unit]\nDescription=x\n"
    for key in ("Wants", "Requires", "BindsTo", "After", "Upholds"):
        if rng.random() < 0.15:
            text += f"{key}={rng.choice(NAMES)}" + (" \\\n  # comment\n  " if rng.random() < 0.3 else " ") + f"{rng.choice(NAMES)}\n"
    if service:
        text += "[Service]\nExecStart=/bin/true\n"
    if rng.random() < 0.6:
        text += f"[Install]\nWantedBy={rng.choice(TARGETS)}\n"
        if rng.random() < 0.3:
            text += f"Also={rng.choice(SERVICES)}\n"
        if rng.random() < 0.2:
            text += f"RequiredBy={rng.choice(SERVICES)}\n"
    return text


def tree(rng):
    made = dict(BASE)
    for name in SERVICES:
        if rng.random() < 0.9:
            made[f"{rng.choice([LIB, LIB, LIB, LOCAL, ETC])}/{name}"] = unit(rng)
    made[f"{LIB}/t@.service"] = unit(rng).replace("[Install]\n", "[Install]\nDefaultInstance=3\n")
    if rng.random() < 0.5:
        made[f"{LIB}/own.target"] = unit(rng, service=False)
        if rng.random() < 0.5:
            made[f"{ETC}/default.target"] = {"link": f"{LIB}/own.target"}
    for alias in ALIASES:
        if rng.random() < 0.5:
            made[f"{rng.choice([LIB, ETC])}/{alias}"] = {"link": rng.choice([f"{LIB}/", ""]) + rng.choice(SERVICES)}
    for _ in range(rng.randrange(1, 7)):
        owner, kind, name = rng.choice(TARGETS + NAMES), rng.choice(["wants", "wants", "requires"]), rng.choice(NAMES)
        path = f"{rng.choice([ETC, ETC, LIB])}/{owner}.{kind}/{name}"
        pick = rng.random()
        made[path] = {"link": "/dev/null"} if pick < 0.1 else "[Unit]\n" if pick < 0.15 else {"link": f"{LIB}/{name}"}
    for _ in range(rng.randrange(0, 3)):
        owner = rng.choice(NAMES + ["e-.service", "service"])
        made[f"{rng.choice([ETC, LIB])}/{owner}.d/{rng.randrange(3)}.conf"] = f"[Unit]\nWants={rng.choice(NAMES)}\n"
    if rng.random() < 0.4:
        name = rng.choice(SERVICES + ALIASES + ["t@.service"])
        made[f"{ETC}/{name}"] = rng.choice([{"link": "/dev/null"}, {"link": "../../../dev/null"}, ""])
    if rng.random() < 0.4:
        made["/etc/machine-id"] = "uninitialized\n"
        for index in range(rng.randrange(0, 3)):
            lines = [f"{rng.choice(['enable', 'disable'])} {rng.choice(SERVICES + ['*', '?.service', 't@.service 7 8', '[ab].*'])}\n"
                     for _ in range(rng.randrange(1, 4))]
            made[f"{rng.choice(['/etc', '/usr/lib'])}/systemd/system-preset/{rng.randrange(4)}0.preset"] = "# x\n" + "".join(lines)
    else:
        made["/etc/machine-id"] = "0123456789abcdef0123456789abcdef\n"
    return made


def lay(made):
    for folder in OVERLAID:
        for name in os.listdir(folder):
            path = f"{folder}/{name}"
            shutil.rmtree(path) if os.path.isdir(path) and not os.path.islink(path) else os.unlink(path)
    for path, what in sorted(made.items()):
        if path == "/etc/machine-id":
            continue
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if isinstance(what, dict):
            os.symlink(what["link"], path)
        else:
            with open(path, "w") as file:
                file.write(what)


def started():
    told = subprocess.run(["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/lib/systemd/systemd", "--test",
                           "--system", "--log-target=console", "--log-level=debug", "--no-pager"],
                          env={"PATH": "/usr/bin"}, capture_output=True, text=True)
    found = set(re.findall(r"Action: (\S+) -> start", told.stdout))
    known = set(NAMES + TARGETS + TEMPLATES + ["sockets.target", "basic.target", "sysinit.target", "rescue.service"]) | {"t@3.service", "t@7.service", "t@8.service"}
    if "Failed to start default target" in told.stderr:
        return []
    for unit, without in re.findall(r"(\S+): Cannot add dependency job, ignoring: Unit (\S+) ", told.stderr):
        if unit != without:
            # It requires one that does not exist: what else it asks for hangs on the order of a hash table.
            return None
    if "By jobs" not in told.stdout:
        sys.exit(told.stderr)
    return sorted(found & known)


def main():
    for folder in OVERLAID:
        os.makedirs(folder, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    subprocess.run(["mount", "-t", "cgroup2", "none", "/sys/fs/cgroup"], check=True)
    cases = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 130):
        made = tree(random.Random(seed))
        lay(made)
        if made["/etc/machine-id"] == "uninitialized\n":
            preset = ["systemctl", "--root=/", "preset-all", "--preset-mode=enable-only"]
            # An alias of a unit that does not exist ends it half-way in some versions.
            if subprocess.run(preset, capture_output=True).returncode != 0:
                continue
        told = started()
        if told is None:
            continue
        cases.append({"tree": {path: what for path, what in made.items() if BASE.get(path) != what}, "started": told})
    print("[\n" + ",\n".join(json.dumps(case, sort_keys=True) for case in cases) + "\n]")


main()
