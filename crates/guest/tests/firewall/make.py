#!/usr/bin/env python3
"""make.py -- what the kernel itself does with each ruleset in cases/: writes expected.txt. As root; needs nft, iptables, ip, unshare.

A client connects to port 22 of a server in a network namespace with the rules, sends and receives a line. Everything is tried
with two names of the network card and two addresses of the server: where they differ, the disk alone cannot tell ("depends").
Cases: NAME.nft (nft -f), NAME.v4 (iptables-restore), NAME.ufw (arguments of the program ufw, a line each; UFW = its unpacked package)."""
import os, shutil, subprocess, sys, tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
UFW = os.environ.get("UFW", "/")
ANYWHERE = "198.51.100.7"
SOME = ["10.1.2.3", "192.168.7.7", "203.0.113.5"]
SERVER = """
import socket
s = socket.create_server(("0.0.0.0", 22)); print("ready", flush=True)
while True:
    c, _ = s.accept(); c.settimeout(0.5)
    try: c.sendall(c.recv(100))
    except OSError: pass
    c.close()
"""
CLIENT = """
import socket, sys
s = socket.socket(); s.settimeout(0.4); s.bind((sys.argv[1], 0))
try:
    s.connect((sys.argv[2], 22)); s.sendall(b"hello"); sys.exit(0 if s.recv(100) == b"hello" else 1)
except OSError: sys.exit(1)
"""


def run(*words, **options):
    return subprocess.run(words, check=True, **options)


def inside(pid, *words, **options):
    return subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", *words], **options)


def load(pid, path, work):
    if path.endswith(".nft"):
        inside(pid, "nft", "-I", "/etc", "-f", path, check=True)
    elif path.endswith(".v4"):
        inside(pid, "iptables-restore", path, check=True)
    else:
        root = os.path.join(work, "ufw")
        if not os.path.exists(root):
            make_ufw(root, path)
        inside(pid, f"{root}/lib/ufw/ufw-init", "--rootdir", root, "--datadir", root, "start", check=True, stdout=subprocess.DEVNULL)


def make_ufw(root, path):
    """ufw's own tree, and its own program writes the rules that its arguments ask for."""
    shutil.copytree(UFW, root, symlinks=True)
    for name in os.listdir(f"{root}/usr/share/ufw/iptables"):
        shutil.copy(f"{root}/usr/share/ufw/iptables/{name}", f"{root}/etc/ufw/{name}")
    shutil.copy(f"{root}/usr/share/ufw/ufw.conf", f"{root}/etc/ufw/ufw.conf")
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            environment = dict(os.environ, PYTHONPATH=f"{root}/usr/lib/python3/dist-packages")
            run("unshare", "-n", "python3", f"{root}/usr/sbin/ufw", f"--rootdir={root}", f"--datadir={root}", *line.split(), env=environment, stdout=subprocess.DEVNULL)
    out = os.path.join(HERE, "ufw", os.path.basename(path)[:-4])
    os.makedirs(out, exist_ok=True)
    for source in ("etc/default/ufw", "etc/ufw/ufw.conf", "etc/ufw/before.rules", "etc/ufw/after.rules", "etc/ufw/user.rules"):
        # Without comments: they are long, and no rule.
        lines = [line for line in open(f"{root}/{source}") if line.strip() and not line.startswith("#")]
        with open(os.path.join(out, source.replace("/", "_")), "w") as file:
            file.writelines(lines)


def reach(path, card, address, work):
    server = subprocess.Popen(["unshare", "-n", "sleep", "100"])
    client = subprocess.Popen(["unshare", "-n", "sleep", "100"])
    listener = None
    try:
        while any(os.readlink(f"/proc/{p.pid}/ns/net") == os.readlink("/proc/self/ns/net") for p in (server, client)):
            pass
        for pid in (server.pid, client.pid):
            inside(pid, "ip", "link", "set", "lo", "up", check=True)
        inside(server.pid, "ip", "link", "add", card, "type", "veth", "peer", "name", "peer", "netns", str(client.pid), check=True)
        inside(server.pid, "ip", "addr", "add", f"{address}/32", "dev", card, check=True)
        inside(server.pid, "ip", "link", "set", card, "up", check=True)
        inside(client.pid, "ip", "link", "set", "peer", "up", check=True)
        for source in [ANYWHERE, *SOME]:
            inside(client.pid, "ip", "addr", "add", f"{source}/32", "dev", "peer", check=True)
        inside(client.pid, "ip", "route", "add", f"{address}/32", "dev", "peer", check=True)
        inside(server.pid, "ip", "route", "add", "default", "dev", card, check=True)
        load(server.pid, path, work)
        listener = subprocess.Popen(["nsenter", f"--net=/proc/{server.pid}/ns/net", "python3", "-c", SERVER], stdout=subprocess.PIPE)
        listener.stdout.readline()
        through = [inside(client.pid, "python3", "-c", CLIENT, source, address).returncode == 0 for source in [ANYWHERE, *SOME]]
        return "everybody" if through[0] else "some_addresses" if any(through) else "nobody"
    finally:
        for process in (listener, server, client):
            if process:
                process.kill()
                process.wait()


def main():
    cases = os.path.join(HERE, "cases")
    wanted = sys.argv[1:] or sorted(os.listdir(cases))
    answers = {}
    target = os.path.join(HERE, "expected.txt")
    if sys.argv[1:] and os.path.exists(target):
        answers = dict(line.split() for line in open(target))
    for name in wanted:
        path = os.path.join(cases, name)
        with tempfile.TemporaryDirectory() as work:
            seen = {reach(path, card, address, work) for card, address in (("eth0", "192.0.2.10"), ("ens3", "172.16.0.9"))}
        answers[name] = seen.pop() if len(seen) == 1 else "depends"
        print(name, answers[name], flush=True)
    with open(target, "w") as file:
        file.writelines(f"{name} {answer}\n" for name, answer in sorted(answers.items()))


main()
