#!/usr/bin/env python3
"""table.py FOLDER RELEASE > table-RELEASE.jsonl -- what the real cloud-init and the real ds-identify make of many settings.

FOLDER holds a Debian package of cloud-init unpacked (dpkg-deb -x). Needs root (chroot), dash as sh, and PyYAML, jinja2,
configobj, jsonpatch, jsonschema, oauthlib, requests, pyserial and netifaces. See README.md."""
import json, os, shutil, subprocess, sys, tempfile, traceback

FOLDER, RELEASE = sys.argv[1], sys.argv[2]
sys.path.insert(0, FOLDER + "/usr/lib/python3/dist-packages")
import logging

logging.disable(logging.CRITICAL)
import yaml
from cloudinit import dmi, helpers, mergers, settings, sources, stages, util
from cloudinit.config import cc_ssh  # noqa: F401  (imported before the chroot)
from cloudinit.distros import ug_util
from cloudinit.mergers import m_dict, m_list, m_str  # noqa: F401
from cloudinit.sources import DataSourceConfigDrive, DataSourceNoCloud, DataSourceNone  # noqa: F401

D = "/etc/cloud/cloud.cfg.d/"
NOCLOUD_FIRST = "datasource_list: [ NoCloud, ConfigDrive, None ]\n"
DRIVE_FIRST = "datasource_list: [ ConfigDrive, NoCloud, None ]\n"
SEED = {"/var/lib/cloud/seed/nocloud/user-data": "#cloud-config\n{}\n", "/var/lib/cloud/seed/nocloud/meta-data": "instance-id: x\n"}


def case(name, files=None, **more):
    return dict(name=name, files=files or {}, **more)


CASES = [
    case("stock"),
    case("ubuntu's drop-in", {D + "90_dpkg.cfg": "# to update this file, run dpkg-reconfigure cloud-init\n" + NOCLOUD_FIRST}),
    case("a later drop-in wins", {D + "90_dpkg.cfg": NOCLOUD_FIRST, D + "99-ccloud.cfg": DRIVE_FIRST}),
    case("byte order", {D + "100.cfg": DRIVE_FIRST, D + "99.cfg": NOCLOUD_FIRST}),
    case("capitals sort before small letters", {D + "Z.cfg": DRIVE_FIRST, D + "a.cfg": NOCLOUD_FIRST}),
    case("several lines", {D + "90.cfg": "datasource_list:\n  - ConfigDrive\n  - NoCloud\n"}),
    case("flow over several lines", {D + "90.cfg": "datasource_list: [\n  ConfigDrive,\n  NoCloud ]\n"}),
    case("no newline at the end", {D + "90.cfg": "datasource_list: [ ConfigDrive, NoCloud ]"}),
    case("two blanks", {D + "90.cfg": "datasource_list:  [ ConfigDrive, NoCloud ]\n"}),
    case("comment behind", {D + "90.cfg": "datasource_list: [ ConfigDrive, NoCloud ] # both\n"}),
    case("comment close behind", {D + "90.cfg": "datasource_list: [ ConfigDrive, NoCloud ]# both\n"}),
    case("quoted key", {D + "90.cfg": '"datasource_list": [ ConfigDrive, NoCloud ]\n'}),
    case("blank before the colon", {D + "90.cfg": "datasource_list : [ ConfigDrive, NoCloud ]\n"}),
    case("quoted names", {D + "90.cfg": "datasource_list: ['ConfigDrive', \"NoCloud\"]\n"}),
    case("a text", {D + "90.cfg": "datasource_list: NoCloud\n"}),
    case("a text of two", {D + "90.cfg": "datasource_list: ConfigDrive, NoCloud\n"}),
    case("None alone", {D + "99-installer.cfg": "datasource_list: [None]\n"}),
    case("empty list", {D + "99-installer.cfg": "datasource_list: []\n"}),
    case("no value", {D + "99-installer.cfg": "datasource_list:\n"}),
    case("a mapping", {D + "90.cfg": "datasource_list: {ConfigDrive: {}, NoCloud: {}}\n"}),
    case("one source", {D + "90.cfg": "datasource_list: [ ConfigDrive ]\n"}),
    case("one source and None", {D + "90.cfg": "datasource_list: [ NoCloud, None ]\n"}),
    case("without a config drive", {D + "90.cfg": "datasource_list: [ Ec2, GCE ]\n"}),
    case("OpenStack and a config drive", {D + "90.cfg": "datasource_list: [ OpenStack, ConfigDrive ]\n"}),
    case("nested key", {D + "90.cfg": "other:\n  datasource_list: [ GCE, Azure ]\n"}),
    case("commented out, indented", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "  # datasource_list: [ GCE ]\n"}),
    case("commented out", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "# datasource_list: [ GCE ]\n"}),
    case("broken YAML", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "datasource_list: [ GCE\n"}),
    case("broken elsewhere", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "datasource_list: [ GCE ]\na: b: c\n"}),
    case("words", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "just words\n"}),
    case("hidden file", {D + "80.cfg": DRIVE_FIRST, D + ".90.cfg": NOCLOUD_FIRST}),
    case("other endings", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg.bak": NOCLOUD_FIRST, D + "91.CFG": NOCLOUD_FIRST, D + "README": NOCLOUD_FIRST}),
    case("empty file", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": ""}),
    case("tab before the list", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "datasource_list:\t[ GCE, Azure ]\n"}),
    case("tab in the list", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "datasource_list: [ GCE,\tAzure ]\n"}),
    case("carriage returns", {D + "90.cfg": "datasource_list: [ ConfigDrive, NoCloud ]\r\n"}),
    case("twice in one file", {D + "90.cfg": "datasource_list: [ GCE, Azure ]\nx: 1\n" + DRIVE_FIRST}),
    case("flow mapping", {D + "90.cfg": "{datasource_list: [ ConfigDrive, NoCloud ]}\n"}),
    case("flow mapping with more", {D + "90.cfg": "{x: 1, datasource_list: [ ConfigDrive, NoCloud ], y: {z: 1}}\n"}),
    case("anchors", {D + "90.cfg": "x: &l [ConfigDrive, NoCloud]\ndatasource_list: *l\n"}),
    case("merge key", {D + "90.cfg": "x: &m {datasource_list: [ConfigDrive]}\n<<: *m\n"}),
    case("unknown tag", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "x: !thing y\ndatasource_list: [ GCE, Azure ]\n"}),
    case("two documents", {D + "80.cfg": DRIVE_FIRST, D + "90.cfg": "datasource_list: [ GCE, Azure ]\n---\nx: 1\n"}),
    case("a number in the list", {D + "90.cfg": "datasource_list: [ 1, NoCloud ]\n"}),
    case("small letters", {D + "90.cfg": "datasource_list: [ configdrive, nocloud ]\n"}),
    case("another folder", {"/etc/cloud/cloud.cfg": "conf_d: /etc/cloud/other/\n", "/etc/cloud/other/x.cfg": DRIVE_FIRST, D + "90.cfg": NOCLOUD_FIRST}),
    case("no folder", {"/etc/cloud/cloud.cfg": "conf_d:\nusers: [default]\n", D + "90.cfg": NOCLOUD_FIRST}),
    case("merge_how replace from below", {D + "10.cfg": 'datasource_list: [GCE]\nmerge_how: "dict(replace)+list()+str()"\n', D + "90.cfg": DRIVE_FIRST}),
    case("merge_how append", {D + "10.cfg": 'datasource_list: [GCE]\nmerge_how: "dict(recurse_list)+list(append)"\n', D + "90.cfg": DRIVE_FIRST}),
    case("merge_how prepend as a list", {D + "10.cfg": "datasource_list: [GCE]\nmerge_how: [{name: list, settings: [prepend]}, {name: dict, settings: [no_replace, recurse_list]}]\n", D + "90.cfg": DRIVE_FIRST}),
    case("merge_type", {D + "10.cfg": 'datasource_list: [GCE]\nmerge_type: "list(no_replace)+dict(recurse_array)"\n', D + "90.cfg": DRIVE_FIRST}),
    case("merge_how without dict", {D + "10.cfg": 'users: [x]\nmerge_how: "list(append)"\n', D + "90.cfg": DRIVE_FIRST}),
    case("merge_how deletes", {D + "10.cfg": 'datasource_list: ~\nmerge_how: "dict(allow_delete)"\n', D + "90.cfg": DRIVE_FIRST}),
    case("a weaker mapping beats a list", {D + "10.cfg": "datasource_list: {GCE: 1}\n", D + "90.cfg": DRIVE_FIRST}),
    case("unknown merger", {D + "10.cfg": 'x: 1\nmerge_how: "other()"\n', D + "90.cfg": DRIVE_FIRST}),
    case("template header", {D + "90.cfg": "## template: jinja\n" + DRIVE_FIRST}),
    case("policy disabled", {"/etc/cloud/ds-identify.cfg": "policy: disabled\n"}),
    case("policy disabled, no newline", {"/etc/cloud/ds-identify.cfg": "policy: disabled"}),
    case("policy enabled", {"/etc/cloud/ds-identify.cfg": "policy: enabled\n", D + "90.cfg": NOCLOUD_FIRST}),
    case("policy report", {"/etc/cloud/ds-identify.cfg": "policy: report\n", D + "90.cfg": NOCLOUD_FIRST}),
    case("policy first", {"/etc/cloud/ds-identify.cfg": "policy: search,found=first,maybe=none,notfound=enabled\n", **SEED}),
    case("policy with a blank", {"/etc/cloud/ds-identify.cfg": "policy: search, disabled\n"}),
    case("policy quoted, commented", {"/etc/cloud/ds-identify.cfg": '# policy: x\npolicy: "enabled" # always\n'}),
    case("policy twice", {"/etc/cloud/ds-identify.cfg": "policy: disabled\npolicy: search\n"}),
    case("not found enabled", {"/etc/cloud/ds-identify.cfg": "policy: search,notfound=enabled\n", D + "90.cfg": "datasource_list: [ Ec2, GCE ]\n"}),
    case("datasource fixed", {"/etc/cloud/ds-identify.cfg": "datasource: NoCloud\n"}),
    case("maybe all, lenient EC2", {"/etc/cloud/ds-identify.cfg": "policy: search,maybe=all\nci.datasource.ec2.strict_id: false\n", D + "90.cfg": "datasource_list: [ Ec2, GCE ]\n"}),
    case("lenient EC2 in a drop-in", {"/etc/cloud/ds-identify.cfg": "policy: search,maybe=all\n", D + "90_ec2.cfg": "datasource_list: [ Ec2, GCE ]\ndatasource:\n  Ec2:\n    strict_id: false\n"}),
    case("seed", SEED),
    case("seed with NoCloud last", {**SEED, D + "90.cfg": DRIVE_FIRST}),
    case("seed for the network", {"/var/lib/cloud/seed/nocloud-net/user-data": "x", "/var/lib/cloud/seed/nocloud-net/meta-data": "y: 1\n"}),
    case("half a seed", {"/var/lib/cloud/seed/nocloud/meta-data": "x: 1\n"}),
    case("seedfrom a file", {D + "90.cfg": "datasource:\n  NoCloud:\n    seedfrom: /srv/seed/\n", "/srv/seed/user-data": "x", "/srv/seed/meta-data": "x: 1\n"}),
    case("seedfrom the network", {D + "90.cfg": "datasource:\n  NoCloud:\n    seedfrom: http://192.0.2.1/\n"}),
    case("seed that names the network", {**SEED, "/var/lib/cloud/seed/nocloud/meta-data": "seedfrom: http://192.0.2.1/\n"}),
    case("data in the settings", {D + "90.cfg": "datasource:\n  NoCloud:\n    user-data: |\n      #cloud-config\n    meta-data: {instance-id: x}\n"}),
    case("MAAS", {D + "90_maas.cfg": "datasource:\n  MAAS: {metadata_url: http://192.0.2.1/}\n"}),
    case("disk labelled cidata", labels=[["cidata", "vfat", True]]),
    case("disk labelled CIDATA without settings", labels=[["CIDATA", "vfat", False]]),
    case("root labelled cidata", labels=[["cidata", "ext4", False]]),
    case("disk labelled CONTEXT", labels=[["CONTEXT", "ext4", False]]),
    case("another label", {D + "90.cfg": "datasource:\n  NoCloud: {fs_label: mydata}\n"}, labels=[["MYDATA", "vfat", True]]),
    case("manual-clean", {"/var/lib/cloud/instance/manual-clean": ""}),
    case("ci.ds", cmdline="root=/dev/vda1 ci.ds=NoCloud"),
    case("ds", cmdline="root=/dev/vda1 ds=nocloud"),
    case("ds with a seed", cmdline="root=/dev/vda1 ds=nocloud;s=/srv/seed/", files={"/srv/seed/user-data": "x", "/srv/seed/meta-data": "x: 1\n"}),
    case("ds from the network", cmdline="root=/dev/vda1 ds=nocloud-net;s=http://192.0.2.1/"),
    case("ci.di.policy", cmdline="ci.di.policy=enabled", files={D + "90.cfg": NOCLOUD_FIRST}),
    case("cc", cmdline="ro cc:{'datasource_list': ['NoCloud']} end_cc quiet"),
    case("cc of several", cmdline="ro cc: datasource_list: [NoCloud, ConfigDrive]", files={D + "90.cfg": DRIVE_FIRST}),
    case("cc of something else", cmdline="ro cc:preserve_hostname: true end_cc"),
    case("users empty", {D + "99.cfg": "users: []\n"}),
    case("users null", {D + "99.cfg": "users:\n"}),
    case("users named", {D + "99.cfg": "users: [{name: alice, ssh_authorized_keys: [x]}]\n"}),
    case("users and default", {D + "99.cfg": "users:\n - default\n - name: alice\n"}),
    case("users as a text", {D + "99.cfg": "users: default,alice\n"}),
    case("users as a mapping", {D + "99.cfg": "users: {default: true, alice: {shell: /bin/sh}}\n"}),
    case("users without a name", {D + "99.cfg": "users: [{gecos: x}]\n"}),
    case("user", {D + "99.cfg": "user: {name: bob}\nusers: []\n"}),
    case("user as a text", {D + "99.cfg": "user: bob\n"}),
    case("another default user", {D + "99.cfg": "system_info: {default_user: {name: cloud}}\n"}),
    case("no default user", {"/etc/cloud/cloud.cfg": "users: [default]\ncloud_init_modules: [ssh]\n"}),
    case("default user without a name", {"/etc/cloud/cloud.cfg": "users: [default]\ncloud_init_modules: [ssh]\nsystem_info: {default_user: {shell: /bin/sh}}\n"}),
    case("no users at all", {"/etc/cloud/cloud.cfg": "cloud_init_modules: [ssh]\nsystem_info: {default_user: {name: x}}\n"}),
    case("switches", {D + "99.cfg": "preserve_hostname: yes\ndisable_root: 0\nmanual_cache_clean: 'on'\nssh_deletekeys: 'false'\nssh_pwauth: unchanged\n"}),
    case("switches as texts", {D + "99.cfg": "preserve_hostname: 'True '\ndisable_root: 'no'\nssh_deletekeys: 0\nssh_pwauth: 'yes'\n"}),
    case("switches as numbers", {D + "99.cfg": "preserve_hostname: 2\ndisable_root: 1\nssh_deletekeys: ''\nssh_pwauth: 0\n"}),
]


def write(root, path, content):
    path = root + path
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", newline="") as file:
        file.write(content)


def base():
    """Stock files that the answers depend on."""
    files = {}
    for folder, _, names in os.walk(FOLDER + "/etc/cloud"):
        for name in names:
            path = os.path.join(folder, name)
            if "/templates/" not in path and name != "README":
                files[path[len(FOLDER) :]] = open(path).read()
    module = "/usr/lib/python3/dist-packages/cloudinit/settings.py"
    files[module] = open(FOLDER + module).read()
    return files


def volumes(this):
    yield "/dev/sr0", "config-2", "iso9660", None
    for number, (label, filesystem, seeded) in enumerate(this.get("labels", []), 1):
        yield "/dev/vda%d" % number, label, filesystem, seeded


def prepare(root, this):
    for path, content in {**base(), **this["files"]}.items():
        write(root, path, content)
    os.makedirs(root + D, exist_ok=True)
    for folder in ("/run/systemd", "/run/cloud-init", "/proc/1", "/sys/class/dmi/id", "/var/lib/cloud", "/tmp", "/dev"):
        os.makedirs(root + folder, exist_ok=True)
    write(root, "/proc/cmdline", this.get("cmdline", "root=/dev/vda1 ro") + "\n")
    write(root, "/proc/uptime", "1.0 1.0\n")
    for field, value in (("product_name", "OpenStack Nova"), ("sys_vendor", "OpenStack Foundation"), ("chassis_asset_tag", "OpenStack Nova")):
        write(root, "/sys/class/dmi/id/" + field, value + "\n")
    for number, (_, label, _, seeded) in enumerate(volumes(this)):
        if label == "config-2":
            write(root, "/mnt/%d/openstack/latest/meta_data.json" % number, json.dumps({"uuid": "new-machine", "hostname": "new"}))
        elif seeded:
            write(root, "/mnt/%d/user-data" % number, "x")
            write(root, "/mnt/%d/meta-data" % number, "instance-id: y\n")
        else:
            os.makedirs(root + "/mnt/%d" % number)


def identify(root, this, programs):
    blkid = "".join("DEVNAME=%s\nLABEL=%s\nTYPE=%s\n\n" % (dev, label, kind) for dev, label, kind, _ in volumes(this))
    for name, text in (("blkid", "#!/bin/sh\ncat <<'X'\n%sX\n" % blkid), ("systemd-detect-virt", "#!/bin/sh\necho kvm\n")):
        write(programs, "/" + name, text)
        os.chmod(programs + "/" + name, 0o755)
    env = {"PATH": programs + ":/usr/bin:/bin:/usr/sbin:/sbin", "PATH_ROOT": root}
    done = subprocess.run(["sh", FOLDER + "/usr/lib/cloud-init/ds-identify"], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    path = root + "/run/cloud-init/cloud.cfg"
    text = open(path).read() if os.path.exists(path) else ""
    try:
        config = yaml.safe_load(text) or {}
    except yaml.YAMLError:  # as cloud-init: a file that it skips
        config = {}
    return {"runs": done.returncode == 0, "writes": config.get("datasource_list")}


class Distro:
    """What the users' module asks of a distribution."""

    name = "debian"
    osfamily = "debian"

    def __init__(self, config):
        self.config = config

    def get_default_user(self):
        return (self.config.get("system_info") or {}).get("default_user")


def fetch():
    if hasattr(settings, "RUN_CLOUD_CONFIG"):
        return stages.fetch_base_config()
    return stages.fetch_base_config("/run/cloud-init")


def names(value):
    if not value or isinstance(value, str):
        return []
    value = list(value)
    if not all(isinstance(name, str) for name in value):
        raise TypeError("not a name")
    return value


def python(this):
    """Runs in a chroot."""
    answer = {}
    try:
        answer["list"] = names(fetch().get("datasource_list"))
    except BaseException:
        answer["list"] = None
    return answer


def users(config):
    try:
        (users, _) = ug_util.normalize_users_groups(config, Distro(config))
        return ug_util.extract_default(users)[0]
    except Exception:
        return None


def after(this):
    """Runs in a chroot in which ds-identify has run."""
    answer = {}
    try:
        config = fetch()
        answer["user"] = users(util.mergemanydict([config]))
        config = fetch()
        answer["preserve_hostname"] = util.get_cfg_option_bool(config, "preserve_hostname", False)
        answer["disable_root"] = util.get_cfg_option_bool(config, "disable_root", True)
        answer["ssh_deletekeys"] = bool(config.get("ssh_deletekeys", True))
        pwauth = config.get("ssh_pwauth")
        answer["ssh_pwauth"] = True if util.is_true(pwauth) else False if "ssh_pwauth" in config and util.is_false(pwauth) else None
        known = [name for name in names(config.get("datasource_list")) if name.lower() in ("nocloud", "configdrive", "none")]
        found = list(volumes(this))

        def find_devs_with(criteria=None, *_, **__):
            key, _, value = (criteria or "").partition("=")
            return [dev for dev, label, kind, _ in found if value == {"TYPE": kind, "LABEL": label}.get(key)]

        def mount_cb(device, callback, data=None, *_, **__):
            number = [dev for dev, *_ in found].index(device)
            return callback("/mnt/%d" % number, data) if data is not None else callback("/mnt/%d" % number)

        util.find_devs_with, util.mount_cb = find_devs_with, mount_cb
        dmi.read_dmi_data = lambda key: {"system-product-name": "OpenStack Nova"}.get(key)
        DataSourceConfigDrive.on_first_boot = lambda *_, **__: None
        cloud_dir = ((config.get("system_info") or {}).get("paths") or {}).get("cloud_dir", "/var/lib/cloud")
        paths = helpers.Paths({"cloud_dir": cloud_dir, "run_dir": "/run/cloud-init"})
        from unittest import mock

        try:
            _, name = sources.find_source(config, mock.MagicMock(), paths, [sources.DEP_FILESYSTEM], known, ["", "cloudinit.sources"], None)
            answer["local"] = name.replace("DataSource", "")
        except sources.DataSourceNotFoundException:
            answer["local"] = None
    except BaseException:
        if os.environ.get("WHY"):
            traceback.print_exc()
        answer = None
    return answer


def in_chroot(root, this, what):
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.environ["DEBUG_PROC_CMDLINE"] = this.get("cmdline", "root=/dev/vda1 ro")
        os.chroot(root)
        os.chdir("/")
        os.write(writing, json.dumps(what(this)).encode())
        os._exit(0)
    os.close(writing)
    text = os.fdopen(reading).read()
    os.waitpid(child, 0)
    return json.loads(text)


def main():
    import unittest.mock  # noqa: F401  (before the chroot)

    print(json.dumps({"release": RELEASE, "base": base()}))
    for this in CASES:
        root, programs = tempfile.mkdtemp(), tempfile.mkdtemp()
        try:
            prepare(root, this)
            row = dict(this)
            row["python"] = in_chroot(root, this, python)
            row["identify"] = identify(root, this, programs)
            row["after"] = in_chroot(root, this, after)
            print(json.dumps(row))
        finally:
            shutil.rmtree(root)
            shutil.rmtree(programs)


main()
