# Ubuntu 24.04 as its cloud images are: dpkg, a socket that starts sshd, cloud-init's list from Ubuntu's own 90_dpkg.cfg, /boot of its own.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
merged_usr
write /usr/lib/os-release << 'FILE'
PRETTY_NAME="Ubuntu 24.04.3 LTS"
NAME="Ubuntu"
VERSION_ID="24.04"
VERSION="24.04.3 LTS (Noble Numbat)"
VERSION_CODENAME=noble
ID=ubuntu
ID_LIKE=debian
HOME_URL="https://www.ubuntu.com/"
SUPPORT_URL="https://help.ubuntu.com/"
BUG_REPORT_URL="https://bugs.launchpad.net/ubuntu/"
PRIVACY_POLICY_URL="https://www.ubuntu.com/legal/terms-and-policies/privacy-policy"
UBUNTU_CODENAME=noble
LOGO=ubuntu-logo
FILE
ln -s ../usr/lib/os-release "$tree/etc/os-release"
write /etc/lsb-release << 'FILE'
DISTRIB_ID=Ubuntu
DISTRIB_RELEASE=24.04
DISTRIB_CODENAME=noble
DISTRIB_DESCRIPTION="Ubuntu 24.04.3 LTS"
FILE
expect_release
expect system.like '["debian"]'

systemd
program /usr/sbin/sshd
cloud_init /usr/lib/python3/dist-packages
cloud_cfg << 'FILE'
users:
  - default
disable_root: true
preserve_hostname: false
system_info:
  distro: ubuntu
  default_user:
    name: ubuntu
    lock_passwd: True
    sudo: ["ALL=(ALL) NOPASSWD:ALL"]
    shell: /bin/bash
FILE
write /etc/cloud/cloud.cfg.d/90_dpkg.cfg << 'FILE'
# to update this file, run dpkg-reconfigure cloud-init
datasource_list: [ NoCloud, ConfigDrive, OpenNebula, DigitalOcean, Azure, AltCloud, OVF, MAAS, GCE, OpenStack, CloudSigma, SmartOS, Bigstep, Scaleway, AliYun, Ec2, CloudStack, Hetzner, IBMCloud, Oracle, Exoscale, RbxCloud, UpCloud, VMware, Vultr, LXD, NWCS, Akamai, WSL, None ]
FILE
expect_text login ubuntu

write /etc/ssh/sshd_config << 'FILE'
Include /etc/ssh/sshd_config.d/*.conf
KbdInteractiveAuthentication no
UsePAM yes
X11Forwarding yes
PrintMotd no
AcceptEnv LANG LC_*
Subsystem sftp /usr/lib/openssh/sftp-server
FILE
write /etc/ssh/sshd_config.d/60-cloudimg-settings.conf << 'FILE'
PasswordAuthentication no
FILE
unit ssh.service << 'UNIT'
[Unit]
Description=OpenBSD Secure Shell server
After=network.target auditd.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run

[Service]
ExecStart=/usr/sbin/sshd -D
Type=notify

[Install]
WantedBy=multi-user.target
Alias=sshd.service
UNIT
unit ssh.socket << 'UNIT'
[Unit]
Description=OpenBSD Secure Shell server socket
Before=sockets.target ssh.service
ConditionPathExists=!/etc/ssh/sshd_not_to_be_run

[Socket]
ListenStream=22
Accept=no
FreeBind=yes

[Install]
WantedBy=sockets.target
RequiredBy=ssh.service
UNIT
enable ssh.socket
cloud_init_units
expect agent.enabled "$(is_enabled cloud-init-main.service)"
expect sshd.enabled "$(is_enabled ssh.service ssh.socket)"

# dpkg's own database: packages without files, put in by dpkg.
mkdir -p "$tree/var/lib/dpkg/info" "$tree/var/lib/dpkg/updates" "$tree/var/lib/dpkg/triggers"
: > "$tree/var/lib/dpkg/status"
: > "$tree/var/lib/dpkg/available"
while read -r name version; do
    mkdir -p "deb/$name/DEBIAN"
    printf 'Package: %s\nVersion: %s\nArchitecture: amd64\nMaintainer: nobody <nobody@example.org>\nDescription: %s\n' "$name" "$version" "$name" \
        > "deb/$name/DEBIAN/control"
    dpkg-deb --build "deb/$name" "$name.deb" > /dev/null
done << 'LIST'
base-files 13ubuntu10.3
cloud-init 25.1.4-0ubuntu0~24.04.1
openssh-server 1:9.6p1-3ubuntu13.13
openssh-sftp-server 1:9.6p1-3ubuntu13.13
linux-image-6.8.0-71-generic 6.8.0-71.71
netplan.io 1.1.2-2~ubuntu24.04.2
systemd 255.4-1ubuntu8.10
ufw 0.36.2-6
LIST
dpkg --root="$tree" --force-all --install ./*.deb > dpkg.log 2>&1
# Removed, but not its configuration: no longer installed.
dpkg --root="$tree" --force-all --remove ufw >> dpkg.log 2>&1
# Without the one of which only the configuration is left.
expect packages.dpkg "$(dpkg-query --admindir="$tree/var/lib/dpkg" --show --showformat '${db:Status-Abbrev}\n' | grep -vc '^rc')"
expect sshd.installed true
expect_cloud_init "$(dpkg-query --admindir="$tree/var/lib/dpkg" --show --showformat '${Version}' cloud-init)"
python3 "$RECIPES/expect.py" sshd "$tree" >> expected.tsv

write /etc/fstab << 'FSTAB'
LABEL=cloudimg-rootfs	/	 ext4	discard,commit=30,errors=remount-ro	0 1
LABEL=BOOT	/boot	ext4	defaults	0 2
LABEL=UEFI	/boot/efi	vfat	umask=0077	0 1
FSTAB
program /usr/lib/systemd/system-generators/netplan /usr/lib/systemd/systemd-networkd
expect network '["netplan", "networkd"]'
write /etc/netplan/50-cloud-init.yaml << 'FILE'
network:
    version: 2
    ethernets:
        enp1s0:
            dhcp4: true
FILE
mkdir boot tree/boot/efi
rm -r tree/boot
mkdir -p tree/boot boot/grub boot/efi
no_younger
table disk.raw 200 << 'TABLE'
label: gpt
label-id: 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e01
1: start=100352, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e02
14: start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e03
15: start=4096, size=32768, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e04
16: start=36864, size=63488, type=BC13C2FF-59E6-4262-A352-B275FD6F7172, uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e06
TABLE
truncate -s 16M efi.vfat
mkfs.vfat --invariant -n UEFI efi.vfat > efi.log
ext ext4 boot.ext4 31 BOOT 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e07 boot
ext ext4 root.ext4 149 cloudimg-rootfs 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b4e05 tree
place efi.vfat disk.raw 2
place boot.ext4 disk.raw 18
place root.ext4 disk.raw 49
expect_table disk.raw
expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
finish
