#!/usr/bin/env python3
"""Makes logins.json: systems as an image could hold them, what the real cloud-init puts where, whether the real sshd then
lets the owner in with the key, and whether it does once the commands of the remedies have been run.

Run as root on a Debian with openssh-server, in namespaces of its own (the file that is checked in: openssh-server
1:9.2p1-2+deb12u10, and the cloud-init whose modules the first argument names, 22.4.2-1+deb12u4; the second names the
commands, which the test writes where LOTSE_COMMANDS says):
    unshare --mount --net python3 logins.py /usr/lib/python3/dist-packages > logins.json
    LOTSE_COMMANDS=commands.json cargo test -p lotse-requirements logins
    unshare --mount --net python3 logins.py /usr/lib/python3/dist-packages commands.json > logins.json
"""
import json, os, re, shutil, subprocess, sys, time

sys.path.insert(0, sys.argv[1])
import yaml
from cloudinit import distros, helpers, util
from cloudinit.config import cc_ssh
from cloudinit.distros import ug_util

STOCK = open("/etc/ssh/sshd_config").read()
MINIMAL = "UsePAM yes\n"
CLOUD = yaml.safe_load("""
users: [default]
disable_root: true
cloud_init_modules: [users-groups, ssh]
system_info:
  distro: debian
  default_user: {name: debian, lock_passwd: true, groups: [adm, sudo], shell: /bin/bash}
""")
ROOT = {"users": [], "disable_root": False}
OLD = {"passwd": "debian:x:1500:1500::/home/debian:/bin/bash", "shadow": "debian:*:19000:0:99999:7:::", "group": ["debian:x:1500:", "staff2:x:1501:debian"]}

CASES = []


def case(name, sshd=STOCK, files=None, cloud=None, account=None, home=None, **more):
    CASES.append({"name": name, "sshd": sshd, "files": files or {}, "cloud": {**CLOUD, **(cloud or {})}, "account": account, "home": home or {}, **more})


def table():
    first = lambda lines: lines + "\n" + STOCK
    case("as Debian has it")
    case("root as Debian has it", cloud=ROOT)
    case("both", cloud={"disable_root": False})
    case("nobody", cloud={"users": []})
    case("root is redirected", cloud={"system_info": {"distro": "debian", "default_user": {"name": "root"}}})
    case("root as the user", cloud={"disable_root": False, "system_info": {"distro": "debian", "default_user": {"name": "root"}}})
    case("no keys are set", cloud={"cloud_init_modules": ["users-groups"]})
    case("no users are made", cloud={"cloud_init_modules": ["ssh"]})
    case("no users are made, but it is there", cloud={"cloud_init_modules": ["ssh"]}, account=OLD)
    case("keys are not imported", cloud={"allow_public_ssh_keys": False})
    for value in ["no", "forced-commands-only", "yes", "without-password"]:
        case(f"PermitRootLogin {value}", first(f"PermitRootLogin {value}"), cloud=ROOT)
        case(f"PermitRootLogin {value}, for the user", first(f"PermitRootLogin {value}"))
    case("keys off", first("PubkeyAuthentication no"))
    case("keys off by the old name", first("DSAAuthentication no"))
    case("keys off in a drop-in", files={"/etc/ssh/sshd_config.d/50.conf": "# x\nPubkeyAuthentication no\n"})
    case("keys off for others", STOCK + "Match User admin\n  PubkeyAuthentication no\n")
    case("keys off for the user", STOCK + "Match User debian\n  PubkeyAuthentication no\n")
    case("keys off for the group", STOCK + "Match Group sudo\n  PubkeyAuthentication no\n")
    case("keys on again for the user", first("PubkeyAuthentication no") + "Match User deb*\nPubkeyAuthentication yes\n")
    case("keys off for all by Match", STOCK + "Match all\nPubkeyAuthentication no\n")
    for methods in ["publickey", "publickey,password", "publickey,publickey", "password publickey", "publickey,keyboard-interactive:pam", "any"]:
        case(f"methods {methods}", first("KbdInteractiveAuthentication yes\nAuthenticationMethods " + methods))
    for users in ["debian", "admin", "deb*", "d?bian", "admin debian", "!debian", "*", "debian@*", "Debian", "root"]:
        case(f"AllowUsers {users}", first("AllowUsers " + users))
        case(f"DenyUsers {users}", first("DenyUsers " + users))
    case("AllowUsers twice", first("AllowUsers admin\nAllowUsers debian"))
    case("AllowUsers with a comment", first("AllowUsers admin # people"))
    case("AllowUsers with an equals sign", first("AllowUsers=admin"))
    case("denied and allowed", first("AllowUsers debian\nDenyUsers deb*"))
    case("root among those denied", first("DenyUsers debian root"), cloud=ROOT)
    for groups in ["sudo", "debian", "staff2", "wheel", "s*", "users", "root"]:
        case(f"AllowGroups {groups}", first("AllowGroups " + groups))
        case(f"DenyGroups {groups}", first("DenyGroups " + groups))
        case(f"AllowGroups {groups} of one who is there", first("AllowGroups " + groups), account=OLD)
    case("AllowGroups root", first("AllowGroups root"), cloud=ROOT)
    case("AllowGroups for a user", STOCK + "Match User debian\nAllowGroups wheel\n")
    for path in [".ssh/authorized_keys", "%h/.ssh/authorized_keys", ".ssh/keys", "/etc/ssh/keys/%u", "/etc/ssh/keys", "none",
                 "/etc/ssh/keys .ssh/authorized_keys", "/etc/ssh/keys/%u .ssh/authorized_keys", "/home/debian/.ssh/authorized_keys"]:
        case(f"keys in {path}", first("AuthorizedKeysFile " + path))
        case(f"keys in {path}, by a drop-in", files={"/etc/ssh/sshd_config.d/50.conf": f"AuthorizedKeysFile {path}\n"})
    case("keys of root in its own", first("AuthorizedKeysFile /root/.ssh/authorized_keys"), cloud=ROOT)
    case("keys elsewhere for the user", STOCK + "Match User debian\n  AuthorizedKeysFile /etc/ssh/keys\n")
    case("keys by a program only", first("AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/true\nAuthorizedKeysCommandUser nobody"))
    for mode in [0o755, 0o775, 0o777, 0o711]:
        case(f"home {mode:o}", account=OLD, home={"": mode})
        case(f"home {mode:o}, not strict", first("StrictModes no"), account=OLD, home={"": mode})
    case(".ssh for others", account=OLD, home={"": 0o755, ".ssh": 0o777})
    case("no PAM", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK))
    case("no PAM and no word of it", re.sub("(?m)^UsePAM yes", "", STOCK))
    case("no PAM, not locked", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "lock_passwd": False, "shell": "/bin/bash"}}})
    case("no PAM, a star", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "lock_passwd": False, "hashed_passwd": "*", "shell": "/bin/bash"}}})
    case("no PAM, root", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), cloud=ROOT)
    case("no PAM, root locked", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), cloud=ROOT, root="!")
    case("PAM, root locked", cloud=ROOT, root="!")
    case("no PAM, there", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), account=OLD)
    case("no PAM, there, kept", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), account=OLD, cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "lock_passwd": False}}})
    there = lambda **change: {**OLD, **change}
    case("locked, with PAM", account=there(shadow="debian:!:19000:0:99999:7:::"))
    case("expired", account=there(shadow="debian:*:19000:0:99999:7::1:"))
    case("expired on day 0", account=there(shadow="debian:*:19000:0:99999:7::0:"))
    case("expired without PAM", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), account=there(shadow="debian:*:19000:0:99999:7::1:"), cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "lock_passwd": False}}})
    case("expired long ago", account=there(shadow="debian:*:19000:0:99999:7::19000:"))
    case("expires in 100 years", account=there(shadow="debian:*:19000:0:99999:7::60000:"))
    case("must change its password", account=there(shadow="debian:*:0:0:99999:7:::"))
    case("must change its password, without PAM", re.sub("(?m)^UsePAM yes", "UsePAM no", STOCK), account=there(shadow="debian:*:0:0:99999:7:::"), cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "lock_passwd": False}}})
    for shell in ["/usr/sbin/nologin", "/bin/false", "/bin/zsh", "", "/bin/sh", "/etc/passwd"]:
        case(f"shell {shell} of one who is there", account=there(passwd="debian:x:1500:1500::/home/debian:" + shell))
    case("shell of one who is made is not there", cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "shell": "/bin/zsh"}}})
    case("nologin", files={"/etc/nologin": "later\n"})
    case("nologin, root", files={"/etc/nologin": ""}, cloud=ROOT)
    case("another name", cloud={"system_info": {"distro": "debian", "default_user": {"name": "cloud", "groups": "adm, staff2", "primary_group": "people", "shell": "/bin/sh"}}})
    case("another name in AllowGroups", first("AllowGroups people"), cloud={"system_info": {"distro": "debian", "default_user": {"name": "cloud", "groups": ["adm"], "primary_group": "people", "shell": "/bin/sh"}}})
    case("its own group", first("AllowGroups debian"), cloud={"system_info": {"distro": "debian", "default_user": {"name": "debian", "no_user_group": True, "shell": "/bin/sh"}}})
    for line in ["NoSuchKeyword yes", "Port banana", "PermitRootLogin maybe", "Match Nobody x", "AddressFamily inet6", "AddressFamily inet", "ListenAddress 192.0.2.5",
                 "ListenAddress 127.0.0.1", "ListenAddress 0.0.0.0", "ListenAddress ::", "ListenAddress ::\nListenAddress 0.0.0.0", "ListenAddress 192.0.2.5\nListenAddress 0.0.0.0",
                 "ListenAddress ::1", "ListenAddress localhost", "Port 2222", "Port 2222\nPort 22", "AuthorizedKeysCommand /bin/true", "HostKey /etc/ssh/nothing"]:
        case(line.replace("\n", ", "), first(line) if not line.startswith("Match") else STOCK + line + "\n")


def run(*command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **more)


def layers(number):
    """A fresh upper layer over /etc, /home and /root: what is changed is changed for this case only."""
    for folder in ["/etc", "/home", "/root"]:
        base = f"/mnt/{number}{folder.replace('/', '-')}"
        os.makedirs(base + "/upper")
        os.makedirs(base + "/work")
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", f"lowerdir={folder},upperdir={base}/upper,workdir={base}/work", folder], check=True)


def lay_out(this):
    open("/etc/ssh/sshd_config", "w").write(this["sshd"])
    for path, text in this["files"].items():
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "w").write(text)
    # Nobody answers questions for names there.
    open("/etc/nsswitch.conf", "w").write("passwd: files\ngroup: files\nshadow: files\nhosts: files\n")
    os.makedirs("/etc/cloud/cloud.cfg.d", exist_ok=True)
    json.dump(this["cloud"], open("/etc/cloud/cloud.cfg", "w"))
    shadow = open("/etc/shadow").read()
    open("/etc/shadow", "w").write(re.sub("(?m)^root:[^:]*:", f"root:{this.get('root', '*')}:", shadow))
    shutil.rmtree("/root/.ssh", ignore_errors=True)
    if this["account"]:
        open("/etc/passwd", "a").write(this["account"]["passwd"] + "\n")
        open("/etc/shadow", "a").write(this["account"]["shadow"] + "\n")
        open("/etc/group", "a").write("\n".join(this["account"]["group"]) + "\n")
        os.makedirs("/home/debian")
        shutil.chown("/home/debian", 1500, 1500)
        for below, mode in this["home"].items():
            path = os.path.join("/home/debian", below).rstrip("/")
            os.makedirs(path, exist_ok=True)
            shutil.chown(path, 1500, 1500)
            os.chmod(path, mode)


def set_up(this, key):
    """What the modules users-groups and ssh do, by cloud-init's own code."""
    config = util.read_conf_with_confd("/etc/cloud/cloud.cfg")
    distro = distros.fetch("debian")("debian", config["system_info"], helpers.Paths({}))
    users, _ = ug_util.normalize_users_groups(config, distro)
    modules = config["cloud_init_modules"]
    if "users-groups" in modules:
        for user, settings in users.items():
            distro.create_user(user, **settings)
    if "ssh" in modules:
        user, _ = ug_util.extract_default(users)
        keys = [key] if util.get_cfg_option_bool(config, "allow_public_ssh_keys", True) else []
        try:
            cc_ssh.apply_credentials(keys, user, util.get_cfg_option_bool(config, "disable_root", True), cc_ssh.ssh_util.DISABLE_USER_OPTS)
        except Exception:
            pass


def login(this, user, ports):
    """Does `user` get in from another machine? `started` is None where the server did not start."""
    server = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        for _ in range(100):
            if server.poll() is not None:
                return None
            listening = run("ss", "-Htln").stdout
            if any(f":{port} " in listening for port in ports):
                break
            time.sleep(0.05)
        for port in ports:
            command = ["ssh", "-p", str(port), "-i", "/mnt/key", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null",
                       "-o", "ConnectTimeout=5", "-o", "IdentityAgent=none", f"{user}@198.51.100.7", "echo in $USER"]
            done = run("ip", "netns", "exec", "client", *command)
            if f"in {user}" in done.stdout:
                return True
        return False
    finally:
        server.kill()
        server.wait()


def network():
    """The server on 198.51.100.7, as DHCP could have given it; the client on another machine."""
    for command in ["ip link set lo up", "ip netns add client", "ip link add server type veth peer name client netns client", "ip addr add 198.51.100.7/24 dev server", "ip link set server up",
                    "ip netns exec client ip addr add 198.51.100.8/24 dev client", "ip netns exec client ip link set client up", "ip netns exec client ip link set lo up"]:
        subprocess.run(command.split(), check=True)


def isolated(name, work):
    """The answer of a process whose mounts go with it."""
    child = os.fork()
    if child == 0:
        import ctypes
        ctypes.CDLL(None).unshare(0x00020000)  # CLONE_NEWNS
        subprocess.run(["mount", "--make-rprivate", "/"], check=True)
        layers(name)
        answer = work()
        with open(f"/mnt/{name}.json", "w") as file:
            json.dump(answer, file)
        os._exit(0)
    os.waitpid(child, 0)
    return json.load(open(f"/mnt/{name}.json"))


def ask(this, key, commands):
    lay_out(this)
    kept = {path: open(path).read() for path in ["/etc/passwd", "/etc/shadow", "/etc/group", "/etc/login.defs"]}
    # Twice: a command may be run again.
    status = [run("sh", "-c", command).returncode for _ in range(2) for command in commands]
    sys.stdout = sys.stderr
    set_up(this, key)
    text = open("/etc/ssh/sshd_config").read() if os.path.exists("/etc/ssh/sshd_config") else ""
    ports = [int(port) for port in re.findall("(?m)^Port ([0-9]+)", text)] or [22]
    there = [line.split(":")[0] for line in open("/etc/passwd")]
    config = util.read_conf_with_confd("/etc/cloud/cloud.cfg")
    # For others, root's key only says under which name to log in, and then sleeps.
    user = config["system_info"]["default_user"]["name"]
    asked = ([user] if config["users"] else []) + (["root"] if not config["disable_root"] and user != "root" else [])
    return {"answer": {user: login(this, user, ports) for user in asked if user in there}, "kept": kept, "status": sum(status)}


def main():
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", "/run"], check=True)
    os.makedirs("/run/sshd", 0o755)
    os.makedirs("/run/netns")
    network()
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/mnt/key"], check=True)
    key = open("/mnt/key.pub").read().strip()
    table()
    commands = json.load(open(sys.argv[2])) if len(sys.argv) > 2 else {}
    answers = []
    for number, this in enumerate(CASES):
        found = isolated(number, lambda: ask(this, key, []))
        kept = {path: "\n".join(line for line in text.splitlines() if not line.startswith("#") and line.strip()) + "\n" for path, text in found["kept"].items()}
        answers.append({"name": this["name"], "sshd": this["sshd"].replace(STOCK, "<stock>"), "files": this["files"], "cloud": this["cloud"], "kept": kept,
                        "home": {os.path.join("/home/debian", below).rstrip("/"): mode for below, mode in this["home"].items()}, "in": found["answer"]})
        if this["name"] in commands:
            mended = isolated(f"{number}-mended", lambda: ask(this, key, commands[this["name"]]))
            answers[-1]["mended"] = {"commands": commands[this["name"]], "in": mended["answer"], "status": mended["status"]}
        print(this["name"], found["answer"], answers[-1].get("mended", ""), file=sys.stderr, flush=True)
    base = answers[0]["kept"]
    for this in answers:
        this["kept"] = {path: text for path, text in this["kept"].items() if text != base[path]} if this is not answers[0] else this["kept"]
    json.dump({"stock": STOCK, "cases": answers}, sys.stdout, indent=1)
    print()


main()
