# Flatcar: nine partitions, the system in one of two read-only /usr partitions, the root empty but for what was changed, ignition in the
# initramfs, sshd by a socket.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
# The tree of the system is what stands below /usr; it is built where it will be mounted.
merged_usr
write /usr/lib/os-release << 'FILE'
NAME="Flatcar Container Linux by Kinvolk"
ID=flatcar
ID_LIKE=coreos
VERSION=4230.2.1
VERSION_ID=4230.2.1
BUILD_ID=2025-07-15-0105
SYSEXT_LEVEL=1.0
PRETTY_NAME="Flatcar Container Linux by Kinvolk 4230.2.1 (Oklo)"
ANSI_COLOR="38;5;75"
HOME_URL="https://flatcar.org/"
BUG_REPORT_URL="https://issues.flatcar.org"
FLATCAR_BOARD="amd64-usr"
CPE_NAME="cpe:2.3:o:flatcar-linux:flatcar_linux:4230.2.1:*:*:*:*:*:*:*"
FILE
ln -s ../usr/lib/os-release "$tree/etc/os-release"
expect_release
expect system.like '["coreos"]'
systemd
program /usr/sbin/sshd /usr/bin/coreos-metadata /usr/libexec/ignition /usr/lib/systemd/systemd-networkd /bin/bash
sshd_unit
unit sshd.socket << 'UNIT'
[Unit]
Description=OpenSSH Server Socket
Conflicts=sshd.service

[Socket]
ListenStream=22
Accept=yes

[Install]
WantedBy=sockets.target
UNIT
mkdir -p "$tree/usr/lib/systemd/system/sockets.target.wants"
ln -s ../sshd.socket "$tree/usr/lib/systemd/system/sockets.target.wants/sshd.socket"
unit systemd-networkd.service << 'UNIT'
[Unit]
Description=Network Configuration

[Service]
ExecStart=/usr/lib/systemd/systemd-networkd

[Install]
WantedBy=multi-user.target
UNIT
mkdir -p "$tree/usr/lib/systemd/system/multi-user.target.wants"
ln -s ../systemd-networkd.service "$tree/usr/lib/systemd/system/multi-user.target.wants/systemd-networkd.service"
printf '[Network]\nDHCP=yes\nKeepConfiguration=dhcp-on-stop\n' | write /usr/lib/systemd/network/zz-default.network
expect network '["networkd"]'
printf 'Subsystem sftp internal-sftp\nUsePAM yes\nPermitRootLogin no\nAuthorizedKeysFile .ssh/authorized_keys\n' | write /usr/share/ssh/sshd_config
write /usr/share/flatcar/release << 'FILE'
FLATCAR_RELEASE_VERSION=4230.2.1
FLATCAR_RELEASE_BOARD=amd64-usr
FLATCAR_RELEASE_APPID={e96281a6-d1af-4bde-9a0a-97b76e56dc57}
FILE
# The root as it is handed out holds nothing of that: everything is laid out at the first boot.
mkdir root root/usr root/boot
mv tree/usr usr
# What /etc begins with is laid under it.
mkdir tree/etc/ssh
ln -s ../../usr/share/ssh/sshd_config tree/etc/ssh/sshd_config
rm tree/etc/machine-id
mv tree/etc usr/share/flatcar/etc
rm -r tree
mkdir -p EFI/boot flatcar/grub
printf 'MZ' > EFI/boot/bootx64.efi
cp EFI/boot/bootx64.efi flatcar/vmlinuz-a
printf 'set default="flatcar"\nset gptprio_ok=1\nmenuentry "Flatcar default" --id=flatcar {\n\tgptprio.next -d usr_device -u usr_uuid\n\tlinux /flatcar/vmlinuz-a mount.usr=PARTUUID=$usr_uuid rootflags=rw consoleblank=0 root=LABEL=ROOT flatcar.first_boot=detected\n}\n' > flatcar/grub/grub.cfg
: > flatcar/first_boot
table disk.raw 330 << 'TABLE'
label: gpt
label-id: 00000000-0000-0000-0000-000000000001
1: start=4096, size=65536, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="EFI-SYSTEM", attrs="LegacyBIOSBootable"
2: start=69632, size=4096, type=21686148-6449-6E6F-744E-656564454649, name="BIOS-BOOT"
3: start=73728, size=262144, type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6, uuid=7130C94A-213A-4E5A-8E26-6CCE9662F132, name="USR-A"
4: start=335872, size=131072, type=5DFBF5F4-2848-4BAC-AA5E-0D9A20B745A6, uuid=E03DD35C-7C2D-4A47-B3FE-27F15780A57C, name="USR-B"
6: start=466944, size=65536, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="OEM"
7: start=532480, size=32768, type=C95DC21A-DF0E-4340-8D7B-26CBFA9A03E0, name="OEM-CONFIG"
9: start=565248, size=106496, type=3884DD41-8582-4404-B9A8-E9B84F2DF50E, name="ROOT"
TABLE
truncate -s 32M efi.vfat
mkfs.vfat --invariant -n EFI-SYSTEM efi.vfat > efi.log
MTOOLS_SKIP_CHECK=1 mcopy -s -i efi.vfat EFI flatcar ::
find usr root -exec touch -hcd "@$SOURCE_DATE_EPOCH" {} +
ext ext4 usr.ext4 128 USR-A 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b7e03 usr
mkdir empty
ext ext4 oem.ext4 32 OEM 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b7e06 empty
ext ext4 root.ext4 52 ROOT 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b7e09 root
place efi.vfat disk.raw 2
place usr.ext4 disk.raw 36
place oem.ext4 disk.raw 228
place root.ext4 disk.raw 276
expect_table disk.raw
expect agent.kind '"ignition"'
expect agent.enabled true
expect machine_id '"missing"'
expect sshd.installed true
expect sshd.enabled true
expect root '{"filesystem": "ext4", "partition": 9, "layers": []}'
finish
