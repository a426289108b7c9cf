#!/usr/bin/env python3
"""Makes cases.json: configurations of OpenSSH's server and what the server itself takes from them.

Run as root on a Debian with openssh-server (9.2p1 made the file that is checked in), in a mount namespace of its own:
    unshare --mount python3 cases.py > cases.json
"""
import json, os, random, re, shutil, subprocess, sys

WANTED = ["port", "listenaddress", "addressfamily", "usepam", "permitrootlogin", "pubkeyauthentication",
          "passwordauthentication", "kbdinteractiveauthentication", "authorizedkeysfile", "authorizedkeyscommand",
          "authenticationmethods", "allowusers", "denyusers", "allowgroups", "denygroups"]
USERS = {"root": ["root"], "daemon": ["daemon"], "bin": ["bin"]}


def word(rng, text):
    pick = rng.random()
    return f'"{text}"' if pick < 0.1 else f"'{text}'" if pick < 0.15 else text


def cased(rng, keyword):
    return rng.choice([keyword, keyword, keyword.lower(), keyword.upper()])


def setting(rng, in_match):
    flags = ["PubkeyAuthentication", "PasswordAuthentication", "KbdInteractiveAuthentication"]
    names = ["root", "bin", "d*", "!root", "*", "admin", "ro?t", "user@192.0.2.*", "a b"]
    if not in_match:
        flags += ["UsePAM", "ChallengeResponseAuthentication", "X11Forwarding", "DSAAuthentication"]
    pick = rng.random()
    if pick < 0.25:
        keyword, values = rng.choice(flags), [rng.choice(["yes", "no"])]
    elif pick < 0.35:
        keyword, values = "PermitRootLogin", [rng.choice(["yes", "no", "NO", "prohibit-password", "without-password",
                                                            "forced-commands-only"])]
    elif pick < 0.55:
        keyword = rng.choice(["AllowUsers", "DenyUsers", "AllowGroups", "DenyGroups"])
        values = [rng.choice(names) for _ in range(rng.randrange(1, 3))]
    elif pick < 0.65:
        keyword, values = "AuthorizedKeysFile", rng.choice([["none"], ["%h/.ssh/keys"], [".ssh/a", "/etc/keys/%u"]])
    elif pick < 0.7:
        keyword, values = "AuthorizedKeysCommand", rng.choice([["none"], ["/usr/bin/keys", "%u"]])
    elif pick < 0.77:
        keyword, values = "AuthenticationMethods", rng.choice([["publickey"], ["publickey,password", "publickey"]])
    elif pick < 0.8:
        keyword, values = rng.choice([("Banner", ["none"]), ("MaxAuthTries", ["4"]), ("AcceptEnv", ["LANG", "LC_*"])])
    elif in_match:
        keyword, values = "PermitTTY", ["yes"]
    elif pick < 0.88:
        keyword, values = "Port", [str(rng.choice([22, 2222, 443, 65535]))]
    elif pick < 0.95:
        keyword, values = "ListenAddress", [rng.choice(["192.0.2.1", "192.0.2.1:99", "[::1]:98", "::1", "0.0.0.0"])]
    else:
        keyword, values = "AddressFamily", [rng.choice(["any", "inet", "inet6"])]
    if rng.random() < 0.012:
        keyword, values = rng.choice([("Port", ["0"]), ("AuthenticationMethods", ["foo"]), ("AuthenticationMethods", ["any", "publickey"]), ("Port", ["banana"]), ("NoSuchKeyword", ["x"]), ("PermitRootLogin", ["maybe"]),
                                      ("UsePAM", []), ("PasswordAuthentication", ["Yes"]), ("AllowUsers", []), ("Match", ["Nobody x"]),
                                      ("Port", ["22", "23"]), ("PubkeyAuthentication", ["yes", "no"]), ("Include", [])])
    separator = rng.choice([" ", " ", "\t", "  ", "=", " = "])
    line = cased(rng, keyword) + separator + " ".join(word(rng, value) if " " not in value else f'"{value}"' for value in values)
    return rng.choice(["", "", "  ", "\t"]) + line + rng.choice(["", "", "", " ", " # comment", " #x"])


def match(rng):
    criteria = [rng.choice(["User root", "User bin,d*", "User *,!root", "Group root", "Group bin,daemon", "User ro*t"])]
    if rng.random() < 0.2:
        criteria.append(rng.choice(["Group root", "User root"]))
    if rng.random() < 0.2:
        criteria = ["all"]
    return cased(rng, "Match") + " " + " ".join(criteria)


def text(rng, includes):
    lines = []
    in_match = False
    for _ in range(rng.randrange(0, 7)):
        pick = rng.random()
        if pick < 0.15:
            lines.append(rng.choice(["", "# Port 1", "   # x", "\t"]))
        elif pick < 0.25 and includes:
            lines.append("Include " + rng.choice(includes))
        elif pick < 0.4:
            in_match = True
            lines.append(match(rng))
        else:
            lines.append(setting(rng, in_match))
    return "\n".join(lines) + rng.choice(["\n", ""])


def tree(rng):
    files = {"/etc/ssh/sshd_config": text(rng, ["sshd_config.d/*.conf", "/etc/ssh/sshd_config.d/*.conf", "extra [a-m]*", "gone/*", "sshd_config.d/1?.conf"])}
    for name in ["sshd_config.d/10-a.conf", "sshd_config.d/9.conf", "sshd_config.d/50.conf", "sshd_config.d/.hidden.conf",
                 "sshd_config.d/x.conf~", "extra", "deep"]:
        if rng.random() < 0.5:
            # Only the last of them includes nothing, so that no circle comes about.
            files["/etc/ssh/" + name] = text(rng, ["deep"] if name != "deep" else [])
    return files


def told(extra):
    run = subprocess.run(["/usr/sbin/sshd", "-T", "-f", "/etc/ssh/sshd_config", "-h", "/run/key"] + extra,
                         capture_output=True, text=True)
    if run.returncode != 0:
        return None
    found = {}
    for line in run.stdout.splitlines():
        keyword, _, value = line.partition(" ")
        if keyword in WANTED:
            found.setdefault(keyword, []).append(value)
    return found


def main():
    for folder in ["/etc/ssh", "/run"]:
        subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)
    os.makedirs("/run/sshd", mode=0o755)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/run/key"], check=True)
    with open("/etc/ssh/sshd_config", "w"):
        base = told([])
    cases = []
    for seed in range(int(sys.argv[1]) if len(sys.argv) > 1 else 250):
        files = tree(random.Random(seed))
        for name in os.listdir("/etc/ssh"):
            path = "/etc/ssh/" + name
            shutil.rmtree(path) if os.path.isdir(path) else os.unlink(path)
        for path, content in files.items():
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(content)
        case = {"files": files, "global": told([])}
        if case["global"]:
            case["users"] = {}
            for user in USERS:
                told_of_user = told(["-C", f"user={user},host=h.example,addr=192.0.2.7,laddr=192.0.2.8,lport=22"])
                # Only what a block changes, to keep the file small.
                case["users"][user] = {key: value for key, value in told_of_user.items() if case["global"].get(key) != value}
            # Nor what is the server's default.
            case["global"] = {key: value for key, value in case["global"].items() if base.get(key) != value}
        cases.append(case)
    print("[\n" + ",\n".join(json.dumps(case, sort_keys=True) for case in cases) + "\n]")


main()
