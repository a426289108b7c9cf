# CirrOS as it is handed out: no package database, dropbear in place of OpenSSH, no cloud-init but a shell script of its own.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
split_usr
write /etc/os-release << 'FILE'
PRETTY_NAME="CirrOS 0.6.2"
NAME="CirrOS"
VERSION_ID="0.6.2"
ID=cirros
HOME_URL="https://cirros-cloud.net"
BUG_REPORT_URL="https://github.com/cirros-dev/cirros/issues"
FILE
mkdir -p "$tree/etc/cirros"
echo 0.6.2 | write /etc/cirros/version
expect_release
program /bin/busybox /usr/sbin/dropbear /usr/bin/cirros-apply
ln -s ../bin/busybox "$tree/sbin/init"
printf '::sysinit:/etc/init.d/rc.sysinit\n::respawn:/sbin/getty -L ttyS0 115200 vt100\n' | write /etc/inittab
printf '#!/bin/sh\n' | write /etc/init.d/S50-dropbear
mkdir -p "$tree/etc/rc3.d"
ln -s ../init.d/S50-dropbear "$tree/etc/rc3.d/S50-dropbear"
printf '#!/bin/sh\n' | write /etc/init.d/cirros-ds-net
expect agent '"none"'
printf 'LABEL=cirros-rootfs / auto defaults 0 0\n' | write /etc/fstab
gpt_disk 80 cirros-rootfs ext3
finish
