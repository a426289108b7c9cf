# redhat.sh SYSTEM: Fedora and the Enterprise Linuxes with systemd. Each has the package database of its time and its own way to say what it is.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
. "$RECIPES/rpm.sh"
system=$1
database=/var/lib/rpm
sshd_include='Include /etc/ssh/sshd_config.d/*.conf'

case $system in
fedora-42)
    merged_usr sbin
    database=/usr/lib/sysimage/rpm
    python=/usr/lib/python3.13/site-packages
    kernel=6.14.0-63.fc42.x86_64
    login=fedora
    write /usr/lib/os-release << 'FILE'
NAME="Fedora Linux"
VERSION="42 (Cloud Edition)"
RELEASE_TYPE=stable
ID=fedora
VERSION_ID=42
VERSION_CODENAME=""
PLATFORM_ID="platform:f42"
PRETTY_NAME="Fedora Linux 42 (Cloud Edition)"
ANSI_COLOR="0;38;2;60;110;180"
LOGO=fedora-logo-icon
CPE_NAME="cpe:/o:fedoraproject:fedora:42"
DEFAULT_HOSTNAME="fedora"
HOME_URL="https://fedoraproject.org/"
SUPPORT_END=2026-05-13
VARIANT="Cloud Edition"
VARIANT_ID=cloud
FILE
    echo 'Fedora release 42 (Adams)' | write /etc/fedora-release
    ln -s fedora-release "$tree/etc/redhat-release"
    expect system.like '[]'
    rpm_database "$tree$database" sqlite << 'LIST'
cloud-init 24.2-4.fc42 noarch
kernel-core 6.14.0-63.fc42 x86_64
NetworkManager 1:1.52.0-1.fc42 x86_64
openssh 9.9p1-10.fc42 x86_64
openssh-server 9.9p1-10.fc42 x86_64
systemd 257.3-7.fc42 x86_64
LIST
    ;;
centos-7)
    merged_usr
    python=/usr/lib/python2.7/site-packages
    kernel=3.10.0-1160.119.1.el7.x86_64
    login=centos
    sshd_include=
    write /usr/lib/os-release << 'FILE'
NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
ANSI_COLOR="0;31"
CPE_NAME="cpe:/o:centos:centos:7"
HOME_URL="https://www.centos.org/"
BUG_REPORT_URL="https://bugs.centos.org/"

CENTOS_MANTISBT_PROJECT="CentOS-7"
CENTOS_MANTISBT_PROJECT_VERSION="7"
REDHAT_SUPPORT_PRODUCT="centos"
REDHAT_SUPPORT_PRODUCT_VERSION="7"

FILE
    echo 'CentOS Linux release 7.9.2009 (Core)' | write /etc/centos-release
    ln -s centos-release "$tree/etc/redhat-release"
    expect system.like '["rhel", "fedora"]'
    ;;
rocky-8)
    merged_usr
    python=/usr/lib/python3.6/site-packages
    kernel=4.18.0-553.58.1.el8_10.x86_64
    login=rocky
    sshd_include=
    write /usr/lib/os-release << 'FILE'
NAME="Rocky Linux"
VERSION="8.10 (Green Obsidian)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="8.10"
PLATFORM_ID="platform:el8"
PRETTY_NAME="Rocky Linux 8.10 (Green Obsidian)"
ANSI_COLOR="0;32"
LOGO="fedora-logo-icon"
CPE_NAME="cpe:/o:rocky:rocky:8:GA"
HOME_URL="https://rockylinux.org/"
BUG_REPORT_URL="https://bugs.rockylinux.org/"
SUPPORT_END="2029-05-31"
ROCKY_SUPPORT_PRODUCT="Rocky-Linux-8"
ROCKY_SUPPORT_PRODUCT_VERSION="8.10"
REDHAT_SUPPORT_PRODUCT="Rocky Linux"
REDHAT_SUPPORT_PRODUCT_VERSION="8.10"
FILE
    echo 'Rocky Linux release 8.10 (Green Obsidian)' | write /etc/rocky-release
    ln -s rocky-release "$tree/etc/redhat-release"
    expect system.like '["rhel", "centos", "fedora"]'
    ;;
alma-9)
    merged_usr
    python=/usr/lib/python3.9/site-packages
    kernel=5.14.0-570.12.1.el9_6.x86_64
    login=almalinux
    write /usr/lib/os-release << 'FILE'
NAME="AlmaLinux"
VERSION="9.6 (Sage Margay)"
ID="almalinux"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="AlmaLinux 9.6 (Sage Margay)"
ANSI_COLOR="0;34"
LOGO="fedora-logo-icon"
CPE_NAME="cpe:/o:almalinux:almalinux:9::baseos"
HOME_URL="https://almalinux.org/"
DOCUMENTATION_URL="https://wiki.almalinux.org/"
BUG_REPORT_URL="https://bugs.almalinux.org/"

ALMALINUX_MANTISBT_PROJECT="AlmaLinux-9"
ALMALINUX_MANTISBT_PROJECT_VERSION="9.6"
REDHAT_SUPPORT_PRODUCT="AlmaLinux"
REDHAT_SUPPORT_PRODUCT_VERSION="9.6"
SUPPORT_END=2032-06-01
FILE
    echo 'AlmaLinux release 9.6 (Sage Margay)' | write /etc/almalinux-release
    ln -s almalinux-release "$tree/etc/redhat-release"
    expect system.like '["rhel", "centos", "fedora"]'
    # Somebody holds the database open while packages are put in: rpm then leaves the rows in the write-ahead log, as in a copy of a
    # running machine, and the file itself is almost empty.
    mkdir -p "$tree$database"
    rpm --dbpath "$tree$database" --define '_db_backend sqlite' --initdb
    python3 "$RECIPES/hold-open.py" "$tree$database/rpmdb.sqlite" ready done &
    holder=$!
    while ! [ -e ready ]; do sleep 0.1; done
    rpm_database "$tree$database" sqlite << 'LIST'
cloud-init 24.4-4.el9_6.3.alma.1 noarch
kernel-core 5.14.0-570.12.1.el9_6 x86_64
NetworkManager 1:1.52.0-3.el9_6 x86_64
openssh 8.7p1-45.el9.alma.1 x86_64
openssh-server 8.7p1-45.el9.alma.1 x86_64
systemd 252-51.el9.alma.1 x86_64
LIST
    # Told before the copy, which is taken while the log still stands.
    version=$(rpm_version "$tree$database" sqlite cloud-init)
    expect packages.rpm_sqlite "$(rpm_count "$tree$database" sqlite)"
    cp "$tree$database/rpmdb.sqlite" "$tree$database/rpmdb.sqlite-wal" .
    touch done
    wait "$holder"
    rm "$tree$database"/*
    cp rpmdb.sqlite rpmdb.sqlite-wal "$tree$database/"
    test "$(stat -c %s rpmdb.sqlite-wal)" -gt 32768
    ;;
esac
ln -s ../usr/lib/os-release "$tree/etc/os-release"
ln -s redhat-release "$tree/etc/system-release"
expect_release

case $system in
centos-7 | rocky-8)
    mkdir -p "$tree$database"
    tar -xf "$OUT/old-rpm.tar"
    cp "$system"/* "$tree$database/"
    version=$(sed -n 's/^cloud-init\t//p' "$system.told")
    expect packages.rpm_berkeley "$(sed -n 's/^count\t//p' "$system.told")"
    ;;
fedora-42)
    version=$(rpm_version "$tree$database" sqlite cloud-init)
    expect packages.rpm_sqlite "$(rpm_count "$tree$database" sqlite)"
    rm -f "$tree$database"/*-shm "$tree$database"/*-wal "$tree$database/.rpm.lock"
    ;;
esac

systemd
program /usr/sbin/sshd
write /etc/ssh/sshd_config << FILE
$sshd_include
AuthorizedKeysFile .ssh/authorized_keys
UsePAM yes
Subsystem sftp /usr/libexec/openssh/sftp-server
FILE
if [ "$sshd_include" ]; then
    write /etc/ssh/sshd_config.d/50-redhat.conf << 'FILE'
SyslogFacility AUTHPRIV
ChallengeResponseAuthentication no
UsePAM yes
X11Forwarding yes
FILE
    printf 'PasswordAuthentication no\n\n' | write /etc/ssh/sshd_config.d/50-cloud-init.conf
fi
sshd_unit
enable sshd.service
cloud_init "$python"
cloud_cfg << FILE
users:
 - default
disable_root: true
ssh_pwauth: false
mount_default_fields: [~, ~, 'auto', 'defaults,nofail,x-systemd.requires=cloud-init.service', '0', '2']
resize_rootfs_tmp: /dev
ssh_deletekeys: true
system_info:
  distro: rhel
  default_user:
    name: $login
    lock_passwd: true
    groups: [adm, systemd-journal]
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
FILE
cloud_init_units
case $system in
centos-7)
    # The script of before, as chkconfig links it; systemd makes a unit of it.
    program /usr/lib/systemd/system-generators/systemd-sysv-generator
    mkdir -p "$tree/etc/rc.d/init.d" "$tree/etc/rc.d/rc3.d"
    ln -s rc.d/init.d "$tree/etc/init.d"
    ln -s rc.d/rc3.d "$tree/etc/rc3.d"
    printf '#!/bin/bash\n# chkconfig: 2345 10 90\n# description: network\n' | write /etc/rc.d/init.d/network
    chmod 755 "$tree/etc/rc.d/init.d/network"
    ln -s ../init.d/network "$tree/etc/rc.d/rc3.d/S10network"
    expect network '["network_scripts"]'
    ;;
*) network_manager ;;
esac
expect_text login "$login"
expect agent.enabled "$(is_enabled cloud-init-main.service)"
expect sshd.enabled "$(is_enabled sshd.service)"
expect_cloud_init "$version"
expect_sshd
if [ "$system" = centos-7 ]; then
    # Red Hat kept the old default in its OpenSSH 7.4; the one that was asked here is newer.
    expect sshd.permit_root_login '"yes"'
fi

mkdir -p "$tree/usr/lib/modules/$kernel"
: > "$tree/boot/vmlinuz-$kernel"
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05
write /etc/fstab << FSTAB
UUID=$uuid / ext4 defaults 1 1
LABEL=EFI /boot/efi vfat defaults,uid=0,gid=0,umask=077,shortname=winnt 0 2
FSTAB
options="root=UUID=$uuid ro console=tty0 console=ttyS0,115200n8 no_timer_check net.ifnames=0"
case $system in
centos-7)
    write /boot/grub2/grub.cfg << FILE
set default="0"
set timeout=1
menuentry 'CentOS Linux (3.10.0-1160.119.1.el7.x86_64) 7 (Core)' --class centos --class gnu-linux --class gnu --class os --unrestricted {
	load_video
	insmod gzio
	insmod part_gpt
	insmod ext2
	search --no-floppy --fs-uuid --set=root $uuid
	linux16 /boot/vmlinuz-$kernel $options
	initrd16 /boot/initramfs-$kernel.img
}
FILE
    write /etc/sysconfig/network-scripts/ifcfg-eth0 << 'FILE'
DEVICE="eth0"
BOOTPROTO="dhcp"
ONBOOT="yes"
TYPE="Ethernet"
USERCTL="yes"
PEERDNS="yes"
IPV6INIT="no"
PERSISTENT_DHCLIENT="1"
FILE
    ;;
*)
    mkdir -p "$tree/boot/grub2"
    printf 'set timeout=1\ninsmod blscfg\nblscfg\n' > "$tree/boot/grub2/grub.cfg"
    write "/boot/loader/entries/0f4f5d9b2e056d0a7b523a554a4d8c61-$kernel.conf" << FILE
title $(sed -n 's/^PRETTY_NAME="\(.*\)"/\1/p' "$tree/usr/lib/os-release") ($kernel)
version $kernel
linux /boot/vmlinuz-$kernel
initrd /boot/initramfs-$kernel.img
options $options
grub_users \$grub_users
grub_arg --unrestricted
grub_class fedora
FILE
    ;;
esac
mkdir -p "$tree/boot/efi"
gpt_disk 130 root
finish
