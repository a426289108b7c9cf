# Gentoo: portage's database, OpenRC, a masked-off network name, GRUB with a device name. The database and the links of OpenRC are written as
# those programs write them; Debian has neither.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
split_usr
write /etc/os-release << 'FILE'
NAME=Gentoo
ID=gentoo
PRETTY_NAME="Gentoo Linux"
VERSION="2.17"
VERSION_ID="2.17"
HOME_URL="https://www.gentoo.org/"
SUPPORT_URL="https://www.gentoo.org/support/"
BUG_REPORT_URL="https://bugs.gentoo.org/"
ANSI_COLOR="1;32"
FILE
echo 'Gentoo Base System release 2.17' | write /etc/gentoo-release
expect_release
program /sbin/init /usr/sbin/sshd /sbin/openrc /sbin/dhcpcd
printf 'id:3:initdefault:\nsi::sysinit:/sbin/openrc sysinit\nrc::bootwait:/sbin/openrc boot\nl3:3:wait:/sbin/openrc default\n' | write /etc/inittab
for service in sysinit/devfs boot/hostname boot/localmount default/sshd default/dhcpcd default/netmount default/cloud-init-local default/cloud-init default/cloud-config default/cloud-final; do
    printf '#!/sbin/openrc-run\n' | write "/etc/init.d/${service#*/}"
    chmod 755 "$tree/etc/init.d/${service#*/}"
    mkdir -p "$tree/etc/runlevels/${service%/*}"
    ln -s "/etc/init.d/${service#*/}" "$tree/etc/runlevels/$service"
done
expect agent.enabled true
expect sshd.enabled true
expect network '["dhcpcd"]'
for package in app-emulation/cloud-init-25.1.4 net-misc/openssh-10.0_p1-r2 sys-apps/openrc-0.62.6 sys-kernel/gentoo-kernel-bin-6.12.41; do
    folder=/var/db/pkg/$package
    echo "${package##*/}" | write "$folder/PF"
    echo "${package%/*}" | write "$folder/CATEGORY"
    echo 0 | write "$folder/SLOT"
    echo 8 | write "$folder/EAPI"
    : | write "$folder/CONTENTS"
done
expect packages.portage 4
cloud_init /usr/lib/python3.13/site-packages
cloud_cfg << 'FILE'
users:
  - default
disable_root: true
system_info:
  distro: gentoo
  default_user:
    name: gentoo
    lock_passwd: True
    shell: /bin/bash
FILE
printf 'datasource_list: ["ConfigDrive"]\n' | write /etc/cloud/cloud.cfg.d/99-local.cfg
# Python reads the files in byte order: this one first, the other last.
printf 'datasource_list: ["NoCloud", "ConfigDrive"]\n' | write /etc/cloud/cloud.cfg.d/100-local.cfg
expect_text login gentoo
expect_cloud_init 25.1.4
printf 'AuthorizedKeysFile .ssh/authorized_keys\nUsePAM yes\nPrintMotd no\nPrintLastLog no\nSubsystem sftp /usr/lib64/misc/sftp-server\nAcceptEnv LANG LC_*\n' | write /etc/ssh/sshd_config
expect_sshd
kernel=6.12.41-gentoo-dist
mkdir -p "$tree/lib/modules/$kernel" "$tree/boot/grub"
: > "$tree/boot/vmlinuz-$kernel"
printf "menuentry 'Gentoo GNU/Linux' {\n\tlinux /boot/vmlinuz-%s root=/dev/sda1 ro\n\tinitrd /boot/initramfs-%s.img\n}\n" "$kernel" "$kernel" | write /boot/grub/grub.cfg
printf '/dev/sda1 / ext4 noatime 0 1\n' | write /etc/fstab
printf 'config_eth0="dhcp"\n' | write /etc/conf.d/net
gpt_disk 130 gentoo
finish
