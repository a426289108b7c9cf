# How the trees of systems are made whose packages Debian's mirror does not have: their own release files, a package database by the real
# tool, services as the real tools start them, programs of a few bytes. Sourced after lib.sh; the tree is in ./tree.
tree=$PWD/tree
mkdir -p "$tree"

# write PATH: a file of the tree, from standard input.
write() {
    mkdir -p "$(dirname "$tree$1")"
    cat > "$tree$1"
}

# program PATH… : a program that ends at once; its ELF header names the machine (ARCH, else x86_64).
program() {
    if [ "${ARCH:-x86_64}" = aarch64 ]; then
        printf '.globl _start\n_start: mov x8, #93\nmov x0, #0\nsvc #0\n' | aarch64-linux-gnu-as -o program.o -
        aarch64-linux-gnu-ld -s -o program program.o
    else
        printf '.globl _start\n_start: mov $60, %%eax\nxor %%edi, %%edi\nsyscall\n' | as -o program.o -
        ld -s -o program program.o
    fi
    for program_path in "$@"; do
        mkdir -p "$(dirname "$tree$program_path")"
        cp program "$tree$program_path"
        chmod 755 "$tree$program_path"
    done
    expect_text system.architecture "${ARCH:-x86_64}"
}

# merged_usr [sbin]: /bin, /lib and so on are links into /usr; `sbin`: /usr/sbin is one to bin, as on Arch and new Fedoras.
merged_usr() {
    mkdir -p "$tree/usr/bin" "$tree/usr/lib" "$tree/usr/lib64" "$tree/etc" "$tree/var/lib" "$tree/root" "$tree/proc" "$tree/sys" "$tree/dev" \
        "$tree/run" "$tree/tmp" "$tree/boot" "$tree/home"
    if [ "${1:-}" = sbin ]; then
        ln -s bin "$tree/usr/sbin"
    else
        mkdir -p "$tree/usr/sbin"
    fi
    ln -s usr/bin "$tree/bin"
    ln -s usr/sbin "$tree/sbin"
    ln -s usr/lib "$tree/lib"
    ln -s usr/lib64 "$tree/lib64"
}

# split_usr: as it was before.
split_usr() {
    mkdir -p "$tree/bin" "$tree/sbin" "$tree/lib" "$tree/lib64" "$tree/usr/bin" "$tree/usr/sbin" "$tree/usr/lib" "$tree/etc" "$tree/var/lib" \
        "$tree/root" "$tree/proc" "$tree/sys" "$tree/dev" "$tree/run" "$tree/tmp" "$tree/boot" "$tree/home"
}

# release: what the system's own os-release says; written to $1 before.
expect_release() {
    python3 "$RECIPES/expect.py" release "$tree" >> expected.tsv
}

# systemd: the program with the units and the generator links of a real one.
systemd() {
    mkdir -p "$tree/usr/lib/systemd/system" "$tree/etc/systemd/system"
    dpkg -L systemd | sed -n 's#^\(/usr\)\?/lib/systemd/system/#&#p' | while read -r systemd_unit; do
        if [ -L "$systemd_unit" ] || [ -f "$systemd_unit" ]; then
            systemd_to=$tree/usr/lib/systemd/system/${systemd_unit#*/lib/systemd/system/}
            mkdir -p "$(dirname "$systemd_to")"
            # Debian's links are absolute and begin with /lib.
            cp -P "$systemd_unit" "$systemd_to"
        fi
    done
    program /usr/lib/systemd/systemd
    ln -s ../lib/systemd/systemd "$tree/usr/sbin/init"
    : > "$tree/etc/machine-id"
    expect machine_id '"empty"'
}

# unit NAME: a unit as a package brings it, from standard input.
unit() {
    write "/usr/lib/systemd/system/$1"
}

# enable UNIT…, as a person or an installer does.
enable() {
    systemctl --quiet --root="$tree" enable "$@" 2> enable.log || { cat enable.log >&2; exit 1; }
}

# is_enabled UNIT…: true as soon as one of them is.
is_enabled() {
    for is_enabled_unit in "$@"; do
        if [ "$(systemctl --root="$tree" is-enabled "$is_enabled_unit" 2> /dev/null)" = enabled ]; then
            echo true
            return
        fi
    done
    echo false
}

# cloud_init PYTHON-DIRECTORY [SHELL]: the program as Debian's package has it, at the place where this system's Python looks, with those that
# let the root grow and the shell of the user that it makes.
cloud_init() {
    mkdir -p "$tree$1" "$tree/usr/bin" "$tree/usr/lib/cloud-init" "$tree/etc/cloud/cloud.cfg.d"
    cp -r /usr/lib/python3/dist-packages/cloudinit "$tree$1/"
    find "$tree$1" -name __pycache__ -prune -exec rm -r {} +
    cp /usr/bin/cloud-init "$tree/usr/bin/cloud-init"
    cp /usr/lib/cloud-init/ds-identify "$tree/usr/lib/cloud-init/ds-identify"
    program /usr/bin/growpart /usr/sbin/resize2fs "${2:-/bin/bash}"
}

# cloud_cfg: its configuration, from standard input, with the steps that upstream's has for every system.
cloud_cfg() {
    cat > "$tree/etc/cloud/cloud.cfg"
    cat >> "$tree/etc/cloud/cloud.cfg" << 'MODULES'
cloud_init_modules: [seed_random, bootcmd, write_files, growpart, resizefs, disk_setup, mounts, set_hostname, update_hostname,
  update_etc_hosts, ca_certs, rsyslog, users_groups, ssh, set_passwords]
cloud_config_modules: [ssh_import_id, locale, ntp, timezone, disable_ec2_metadata, runcmd]
cloud_final_modules: [package_update_upgrade_install, write_files_deferred, scripts_vendor, scripts_per_once, scripts_per_boot,
  scripts_per_instance, scripts_user, ssh_authkey_fingerprints, keys_to_console, final_message, power_state_change]
MODULES
}

# cloud_init_units: its services and the generator that starts them.
cloud_init_units() {
    mkdir -p "$tree/usr/lib/systemd/system" "$tree/usr/lib/systemd/system-generators"
    cp /usr/lib/systemd/system/cloud-* "$tree/usr/lib/systemd/system/"
    cp /usr/lib/systemd/system-generators/cloud-init-generator "$tree/usr/lib/systemd/system-generators/"
    for cloud_init_unit in main local network; do
        enable "cloud-init-$cloud_init_unit.service"
    done
    enable cloud-config.service cloud-final.service
}

# expect_cloud_init VERSION: what it is and which list holds, as its own code merges the configuration.
expect_cloud_init() {
    expect_text agent.kind cloud-init
    expect_text agent.version "$1"
    python3 "$RECIPES/expect.py" datasources "$tree" >> expected.tsv
}

# network_manager: as its own [Install] has it, and enabled.
network_manager() {
    program /usr/sbin/NetworkManager
    unit NetworkManager.service << 'UNIT'
[Unit]
Description=Network Manager

[Service]
ExecStart=/usr/sbin/NetworkManager --no-daemon

[Install]
WantedBy=multi-user.target
UNIT
    enable NetworkManager.service
    expect network '["network_manager"]'
}

# sshd_unit [UNIT-LINE [SERVICE-LINE]]: the service as the packages for systemd have it, with what makes the host keys: Red Hat's, or these lines.
sshd_unit() {
    unit sshd.service << UNIT
[Unit]
Description=OpenSSH server daemon
After=network.target
${1-Wants=sshd-keygen.target}

[Service]
${2:-}
ExecStart=/usr/sbin/sshd -D
KillMode=process
Restart=on-failure

[Install]
WantedBy=multi-user.target
UNIT
}

# expect_sshd: how OpenSSH itself reads the configuration.
expect_sshd() {
    expect sshd.installed true
    expect firewall '"everybody"'
    python3 "$RECIPES/expect.py" sshd "$tree" >> expected.tsv
}

# no_younger: nothing in the tree bears the time of this build.
no_younger() {
    find "$tree" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hcd "@$SOURCE_DATE_EPOCH" {} +
}

# gpt_disk MIB LABEL: ./disk.raw with the tree in its first partition, beside a BIOS boot and an EFI partition, as most cloud images are.
gpt_disk() {
    no_younger
    table disk.raw "$1" << 'TABLE'
label: gpt
label-id: 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e01
14: start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e03
15: start=4096, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e04
1: start=36864, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e02
TABLE
    truncate -s 16M efi.vfat
    mkfs.vfat --invariant -n EFI efi.vfat > efi.log
    if [ -d "$tree/boot/efi/EFI" ]; then
        MTOOLS_SKIP_CHECK=1 mcopy -s -i efi.vfat "$tree/boot/efi/EFI" ::
        rm -r "$tree/boot/efi/EFI"
    fi
    place efi.vfat disk.raw 2
    ext "${3:-ext4}" root.ext "$(($1 - 20))" "$2" 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05 "$tree"
    place root.ext disk.raw 18
    expect_table disk.raw
    expect_space root.ext
    expect root "{\"filesystem\": \"${3:-ext4}\", \"partition\": 1, \"layers\": []}"
}

# finish: hands ./disk.raw over with its expectations.
finish() {
    expectations "$OUT/$NAME.expected.json"
    mv disk.raw "$OUT/$NAME.raw"
}
