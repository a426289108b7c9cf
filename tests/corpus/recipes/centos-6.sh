# CentOS 6: no os-release, upstart with sysv links, Berkeley DB, a cloud-init older than the 0.7.7 that ccloud³ asks for, a disk with an MBR,
# GRUB legacy, and the network card of the machine it was made on.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
split_usr
echo 'CentOS release 6.10 (Final)' | write /etc/centos-release
ln -s centos-release "$tree/etc/redhat-release"
ln -s centos-release "$tree/etc/system-release"
echo 'cpe:/o:centos:linux:6:GA' | write /etc/system-release-cpe
printf 'CentOS release 6.10 (Final)\nKernel \\r on an \\m\n\n' | write /etc/issue
# By hand: no tool reads these old files.
expect system '{"family": "linux", "distribution": "centos", "version": "6.10"}'

tar -xf "$OUT/old-rpm.tar"
mkdir -p "$tree/var/lib/rpm"
cp centos-6/* "$tree/var/lib/rpm/"

program /sbin/init /usr/sbin/sshd
cat << 'FILE' | write /etc/inittab
id:3:initdefault:
FILE
write /etc/init/rc.conf << 'FILE'
start on runlevel [0123456]
stop on runlevel [!$RUNLEVEL]
task
export RUNLEVEL
console output
exec /etc/rc.d/rc $RUNLEVEL
FILE
# As chkconfig reads the heads of the scripts: run levels and numbers.
mkdir -p "$tree/etc/rc.d/init.d"
ln -s rc.d/init.d "$tree/etc/init.d"
for level in 0 1 2 3 4 5 6; do
    mkdir -p "$tree/etc/rc.d/rc$level.d"
    ln -s "rc.d/rc$level.d" "$tree/etc/rc$level.d"
done
# service NAME START STOP
service() {
    printf '#!/bin/bash\n# chkconfig: 2345 %s %s\n# description: %s\n' "$2" "$3" "$1" | write "/etc/rc.d/init.d/$1"
    chmod 755 "$tree/etc/rc.d/init.d/$1"
    for service_level in 2 3 4 5; do
        ln -s "../init.d/$1" "$tree/etc/rc.d/rc$service_level.d/S$2$1"
    done
    for service_level in 0 1 6; do
        ln -s "../init.d/$1" "$tree/etc/rc.d/rc$service_level.d/K$3$1"
    done
}
service network 10 90
service cloud-init-local 50 50
service cloud-init 51 50
service cloud-config 52 50
service cloud-final 53 50
service sshd 55 25
expect agent.enabled true
expect sshd.enabled true
expect sshd.installed true

cloud_init /usr/lib/python2.6/site-packages
cloud_cfg << 'FILE'
users:
 - default
disable_root: 1
ssh_pwauth: 0
datasource_list: ['ConfigDrive', 'OpenStack', 'NoCloud', 'None']
system_info:
  distro: rhel
  default_user:
    name: centos
    lock_passwd: true
    shell: /bin/bash
FILE
expect_cloud_init "$(sed -n 's/^cloud-init\t//p' centos-6.told)"
expect packages.rpm_berkeley "$(sed -n 's/^count\t//p' centos-6.told)"
expect agent.recent_enough false
expect_text login centos
write /etc/ssh/sshd_config << 'FILE'
Protocol 2
SyslogFacility AUTHPRIV
PasswordAuthentication yes
ChallengeResponseAuthentication no
UsePAM yes
PermitRootLogin without-password
Subsystem	sftp	/usr/libexec/openssh/sftp-server
FILE
expect_sshd

kernel=2.6.32-754.35.1.el6.x86_64
mkdir -p "$tree/lib/modules/$kernel" "$tree/boot/grub"
: > "$tree/boot/vmlinuz-$kernel"
write /boot/grub/grub.conf << FILE
default=0
timeout=5
hiddenmenu
title CentOS 6 ($kernel)
	root (hd0,0)
	kernel /boot/vmlinuz-$kernel ro root=/dev/vda1 rd_NO_LUKS rd_NO_LVM LANG=en_US.UTF-8 console=ttyS0,115200n8
	initrd /boot/initramfs-$kernel.img
FILE
ln -s ../boot/grub/grub.conf "$tree/etc/grub.conf"
printf '/dev/vda1 / ext4 defaults 1 1\ntmpfs /dev/shm tmpfs defaults 0 0\n' | write /etc/fstab
write /etc/sysconfig/network-scripts/ifcfg-eth0 << 'FILE'
DEVICE=eth0
HWADDR=52:54:00:12:34:56
BOOTPROTO=dhcp
ONBOOT=yes
TYPE=Ethernet
FILE
write /etc/udev/rules.d/70-persistent-net.rules << 'FILE'
# PCI device 0x1af4:0x1000 (virtio-pci)
SUBSYSTEM=="net", ACTION=="add", DRIVERS=="?*", ATTR{address}=="52:54:00:12:34:56", ATTR{type}=="1", KERNEL=="eth*", NAME="eth0"
FILE

no_younger
table disk.raw 130 << 'TABLE'
label: dos
label-id: 0x6d0a7b56
1: start=2048, size=260096, type=83, bootable
TABLE
ext ext4 root.ext4 127 '' 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b5e02 tree
place root.ext4 disk.raw 1
expect_table disk.raw
expect_space root.ext4
expect network '["network_scripts"]'
expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
finish
