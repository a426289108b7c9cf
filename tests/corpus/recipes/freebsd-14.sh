# FreeBSD on UFS2, by FreeBSD's own makefs: recognised for what it is.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
mkdir -p "$tree/bin" "$tree/sbin" "$tree/etc" "$tree/boot" "$tree/usr/sbin" "$tree/var/db/pkg" "$tree/root"
write /etc/os-release << 'FILE'
NAME=FreeBSD
VERSION="14.3-RELEASE"
VERSION_ID="14.3"
ID=freebsd
ANSI_COLOR="0;31"
PRETTY_NAME="FreeBSD 14.3-RELEASE"
CPE_NAME="cpe:/o:freebsd:freebsd:14.3"
HOME_URL="https://FreeBSD.org/"
BUG_REPORT_URL="https://bugs.FreeBSD.org/"
FILE
printf 'sshd_enable="YES"\ncloudinit_enable="YES"\n' | write /etc/rc.conf
printf '/dev/gpt/rootfs / ufs rw 1 1\n' | write /etc/fstab
program /sbin/init /usr/sbin/sshd
: > expected.tsv
no_younger
makefs -t ffs -s 64m -o version=2 -T "$SOURCE_DATE_EPOCH" root.ufs "$tree" > makefs.log
table disk.raw 80 << 'TABLE'
label: gpt
first-lba: 34
label-id: 6d0a7b52-3a55-4a4d-8c61-0f4f5d9b9e00
1: start=40, size=1024, type=83BD6B9D-7F41-11DC-BE0B-001560B84F0F, name="bootfs"
2: start=2048, size=16384, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="efiesp"
3: start=18432, size=131072, type=516E7CB6-6ECF-11D6-8FF8-00022D09712B, name="rootfs"
TABLE
truncate -s 8M efi.vfat
mkfs.vfat --invariant efi.vfat > efi.log
place efi.vfat disk.raw 1
place root.ufs disk.raw 9
expect_table disk.raw
expect root '{"filesystem": "ufs", "partition": 3, "layers": []}'
expect system.family '"freebsd"'
finish
