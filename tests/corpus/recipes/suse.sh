# suse.sh SYSTEM: openSUSE Leap with wicked, and Tumbleweed, whose packages keep their configuration in /usr/etc; both with rpm's ndb.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
. "$RECIPES/rpm.sh"
database=/usr/lib/sysimage/rpm
merged_usr
case $1 in
leap)
    python=/usr/lib/python3.6/site-packages
    kernel=6.4.0-150600.23.53-default
    write /usr/lib/os-release << 'FILE'
NAME="openSUSE Leap"
VERSION="15.6"
ID="opensuse-leap"
ID_LIKE="suse opensuse"
VERSION_ID="15.6"
PRETTY_NAME="openSUSE Leap 15.6"
ANSI_COLOR="0;32"
CPE_NAME="cpe:/o:opensuse:leap:15.6"
BUG_REPORT_URL="https://bugs.opensuse.org"
HOME_URL="https://www.opensuse.org/"
DOCUMENTATION_URL="https://en.opensuse.org/Portal:Leap"
LOGO="distributor-logo-Leap"
FILE
    expect system.like '["suse", "opensuse"]'
    sshd_config=/etc/ssh/sshd_config
    rpm_database "$tree$database" ndb << 'LIST'
cloud-init 23.3-150100.8.82.3 x86_64
kernel-default 6.4.0-150600.23.53.1 x86_64
openssh 9.6p1-150600.6.26.1 x86_64
openssh-server 9.6p1-150600.6.26.1 x86_64
systemd 254.24-150600.4.33.1 x86_64
wicked 0.6.77-150600.11.24.1 x86_64
LIST
    ;;
tumbleweed)
    python=/usr/lib/python3.13/site-packages
    kernel=6.15.8-1-default
    write /usr/lib/os-release << 'FILE'
NAME="openSUSE Tumbleweed"
# VERSION="20250801"
ID="opensuse-tumbleweed"
ID_LIKE="opensuse suse"
VERSION_ID="20250801"
PRETTY_NAME="openSUSE Tumbleweed"
ANSI_COLOR="0;32"
# CPE 2.3 format, boo#1217921
CPE_NAME="cpe:2.3:o:opensuse:tumbleweed:20250801:*:*:*:*:*:*:*"
BUG_REPORT_URL="https://bugzilla.opensuse.org"
SUPPORT_URL="https://bugs.opensuse.org"
HOME_URL="https://www.opensuse.org"
DOCUMENTATION_URL="https://en.opensuse.org/Portal:Tumbleweed"
LOGO="distributor-logo-Tumbleweed"
FILE
    expect system.like '["opensuse", "suse"]'
    sshd_config=/usr/etc/ssh/sshd_config
    rpm_database "$tree$database" ndb << 'LIST'
cloud-init 25.1.3-1.1 x86_64
kernel-default 6.15.8-1.1 x86_64
NetworkManager 1.52.1-1.1 x86_64
openssh 10.0p2-5.1 x86_64
openssh-server 10.0p2-5.1 x86_64
systemd 257.7-1.1 x86_64
LIST
    ;;
esac
version=$(rpm_version "$tree$database" ndb cloud-init)
expect packages.rpm_ndb "$(rpm_count "$tree$database" ndb)"
rm -f "$tree$database/.rpm.lock"
mkdir -p "$tree/var/lib"
ln -s ../../usr/lib/sysimage/rpm "$tree/var/lib/rpm"
ln -s ../usr/lib/os-release "$tree/etc/os-release"
expect_release

systemd
program /usr/sbin/sshd
mkdir -p "$tree/etc/ssh"
dir=$(dirname "$sshd_config")
write "$sshd_config" << FILE
Include /etc/ssh/sshd_config.d/*.conf
$(test "$dir" = /etc/ssh || echo "Include $dir/sshd_config.d/*.conf")
AuthorizedKeysFile .ssh/authorized_keys
UsePAM yes
PrintMotd no
Subsystem sftp /usr/libexec/ssh/sftp-server
FILE
printf 'PermitRootLogin no\n' | write "$dir/sshd_config.d/50-cloud.conf"
sshd_unit '' ExecStartPre=/usr/sbin/sshd-gen-keys-start
enable sshd.service
cloud_init "$python"
cloud_cfg << 'FILE'
users:
  - default
disable_root: true
datasource_list: [ 'NoCloud', 'ConfigDrive', 'OpenStack', 'Ec2', 'None' ]
system_info:
  distro: opensuse
  default_user:
    name: opensuse
    lock_passwd: True
    shell: /bin/bash
FILE
printf 'datasource_list: [ ConfigDrive, NoCloud, None ]\n' | write /etc/cloud/cloud.cfg.d/10_ccloud.cfg
cloud_init_units
case $1 in
leap)
    # As the package's own [Install] has it.
    unit wicked.service << 'UNIT'
[Unit]
Description=wicked managed network interfaces
Wants=wickedd.service
After=wickedd.service
Before=network.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/wicked --systemd ifup all

[Install]
WantedBy=multi-user.target
Alias=network.service
UNIT
    enable wicked.service
    expect network '["wicked"]'
    printf "BOOTPROTO='dhcp'\nSTARTMODE='auto'\nCLOUD_NETCONFIG_MANAGE='yes'\n" | write /etc/sysconfig/network/ifcfg-eth0
    program /usr/sbin/wicked /usr/sbin/wickedd
    ;;
tumbleweed)
    network_manager
    ;;
esac
expect_text login opensuse
expect agent.enabled "$(is_enabled cloud-init-main.service)"
expect sshd.enabled "$(is_enabled sshd.service)"
expect_cloud_init "$version"
expect_sshd
mkdir -p "$tree/usr/lib/modules/$kernel" "$tree/boot/grub2"
: > "$tree/boot/vmlinuz-$kernel"
printf 'UUID=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05 / ext4 defaults 0 0\n' | write /etc/fstab
write /boot/grub2/grub.cfg << FILE
menuentry 'openSUSE' --class opensuse {
	search --no-floppy --fs-uuid --set=root 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05
	linux /boot/vmlinuz-$kernel root=UUID=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b2e05 console=ttyS0,115200
	initrd /boot/initrd-$kernel
}
FILE
gpt_disk 130 ROOT
finish
