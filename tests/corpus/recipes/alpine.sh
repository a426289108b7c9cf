# Alpine for ARM, as its cloud images for BIOS are: the filesystem begins at the first sector. apk's database and the links of OpenRC are
# written as those programs write them; Debian has neither apk nor a system to run rc-update in.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
ARCH=aarch64
split_usr
write /usr/lib/os-release << 'FILE'
NAME="Alpine Linux"
ID=alpine
VERSION_ID=3.22.1
PRETTY_NAME="Alpine Linux v3.22"
HOME_URL="https://alpinelinux.org/"
BUG_REPORT_URL="https://gitlab.alpinelinux.org/alpine/aports/-/issues"
FILE
ln -s ../usr/lib/os-release "$tree/etc/os-release"
echo 3.22.1 | write /etc/alpine-release
expect_release
program /bin/busybox /usr/sbin/sshd /sbin/openrc /lib/ld-musl-aarch64.so.1
ln -s ../bin/busybox "$tree/sbin/init"
ln -s ../bin/busybox "$tree/sbin/ifup"
write /etc/inittab << 'FILE'
::sysinit:/sbin/openrc sysinit
::sysinit:/sbin/openrc boot
::wait:/sbin/openrc default
tty1::respawn:/sbin/getty 38400 tty1
::shutdown:/sbin/openrc shutdown
FILE
# openrc LEVEL SERVICE…
openrc() {
    openrc_level=$1
    shift
    mkdir -p "$tree/etc/runlevels/$openrc_level"
    for openrc_service in "$@"; do
        printf '#!/sbin/openrc-run\n' | write "/etc/init.d/$openrc_service"
        chmod 755 "$tree/etc/init.d/$openrc_service"
        ln -s "/etc/init.d/$openrc_service" "$tree/etc/runlevels/$openrc_level/$openrc_service"
    done
}
openrc sysinit devfs dmesg mdev
openrc boot bootmisc hostname modules networking swap sysctl syslog cloud-init-hotplug
openrc default acpid chronyd crond sshd cloud-init-local cloud-init cloud-config cloud-final
expect agent.enabled true
expect sshd.enabled true
mkdir -p "$tree/lib/apk/db"
while read -r name version; do
    printf 'C:Q1%s=\nP:%s\nV:%s\nA:aarch64\nS:1\nI:1\nT:%s\nU:https://example.org\nL:MIT\no:%s\nm:nobody\nt:%s\n\n' \
        "$(printf '%s' "$name" | sha1sum | cut -c1-27)" "$name" "$version" "$name" "$name" "$SOURCE_DATE_EPOCH"
done << 'LIST' > "$tree/lib/apk/db/installed"
alpine-base 3.22.1-r0
busybox 1.37.0-r18
cloud-init 25.1.2-r0
linux-virt 6.12.38-r0
musl 1.2.5-r10
openrc 0.62.6-r0
openssh 10.0_p1-r7
openssh-server 10.0_p1-r7
LIST
expect packages.apk 8
cloud_init /usr/lib/python3.12/site-packages /bin/ash
cloud_cfg << 'FILE'
datasource_list: ['NoCloud', 'ConfigDrive', 'OpenStack', 'Ec2', 'None']
users:
  - default
disable_root: true
system_info:
  distro: alpine
  default_user:
    name: alpine
    lock_passwd: True
    shell: /bin/ash
FILE
expect_text login alpine
expect_cloud_init 25.1.2-r0
printf 'Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\nAllowTcpForwarding no\nSubsystem sftp internal-sftp\n' | write /etc/ssh/sshd_config
expect_sshd
mkdir -p "$tree/lib/modules/6.12.38-0-virt"
: > "$tree/boot/vmlinuz-virt"
printf 'LABEL=/ / ext4 defaults,noatime 1 1\n' | write /etc/fstab
printf 'auto lo\niface lo inet loopback\n\nauto eth0\niface eth0 inet dhcp\n' | write /etc/network/interfaces
no_younger
ext ext4 disk.raw 96 / 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b6e05 tree -O ^64bit
expect_space disk.raw
expect network '["ifupdown"]'
expect table '{"kind": "none", "sector_size": 512}'
expect root '{"filesystem": "ext4", "partition": null, "layers": []}'
finish
