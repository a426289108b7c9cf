# Fedora CoreOS: a deployment that ostree itself made, ignition in place of cloud-init, /boot of its own.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
. "$RECIPES/rpm.sh"
merged_usr sbin
kernel=6.14.9-300.fc42.x86_64
write /usr/lib/os-release << 'FILE'
NAME="Fedora Linux"
VERSION="42.20250609.3.0 (CoreOS)"
RELEASE_TYPE=stable
ID=fedora
VERSION_ID=42
VERSION_CODENAME=""
PLATFORM_ID="platform:f42"
PRETTY_NAME="Fedora CoreOS 42.20250609.3.0"
ANSI_COLOR="0;38;2;60;110;180"
LOGO=fedora-logo-icon
CPE_NAME="cpe:/o:fedoraproject:fedora:42"
HOME_URL="https://getfedora.org/coreos/"
VARIANT="CoreOS"
VARIANT_ID=coreos
OSTREE_VERSION='42.20250609.3.0'
FILE
ln -s ../usr/lib/os-release "$tree/etc/os-release"
expect_release
rpm_database "$tree/usr/share/rpm" sqlite << 'LIST'
coreos-installer 0.24.0-1.fc42 x86_64
ignition 2.21.0-2.fc42 x86_64
kernel-core 6.14.9-300.fc42 x86_64
NetworkManager 1:1.52.0-1.fc42 x86_64
openssh-server 9.9p1-10.fc42 x86_64
ostree 2025.2-1.fc42 x86_64
systemd 257.6-1.fc42 x86_64
LIST
version=$(rpm_version "$tree/usr/share/rpm" sqlite ignition)
expect packages.rpm_sqlite "$(rpm_count "$tree/usr/share/rpm" sqlite)"
rm -f "$tree/usr/share/rpm"/*-shm "$tree/usr/share/rpm"/*-wal "$tree/usr/share/rpm/.rpm.lock"
systemd
program /usr/bin/sshd /usr/lib/dracut/modules.d/30ignition/ignition /bin/bash
sshd_unit
printf 'Include /etc/ssh/sshd_config.d/*.conf\nAuthorizedKeysFile .ssh/authorized_keys\n' | write /etc/ssh/sshd_config
printf 'PasswordAuthentication no\n' | write /etc/ssh/sshd_config.d/40-disable-passwords.conf
printf 'AuthorizedKeysCommand /usr/libexec/ssh-key-dir %%u\nAuthorizedKeysCommandUser nobody\n' | write /etc/ssh/sshd_config.d/50-ssh-key-dir.conf
enable sshd.service
network_manager
expect sshd.enabled "$(is_enabled sshd.service)"
expect_sshd
expect agent.kind '"ignition"'
expect_text agent.version "$version"
expect_text login core
expect agent.enabled true

# What rpm-ostree makes of a tree: /etc below /usr, kernel and initramfs in /usr/lib/modules, everything else links.
mkdir -p initramfs/usr/bin "$tree/usr/lib/modules/$kernel"
cp program initramfs/usr/bin/ignition
mkdir -p initramfs/usr/lib/modules/$kernel/kernel/drivers/block
: > initramfs/usr/lib/modules/$kernel/kernel/drivers/block/virtio_blk.ko.xz
(cd initramfs && find . | sort | cpio --quiet -o -H newc) | zstd -q > "$tree/usr/lib/modules/$kernel/initramfs.img"
printf 'MZ kernel %s' "$kernel" > "$tree/usr/lib/modules/$kernel/vmlinuz"
mv "$tree/etc" "$tree/usr/etc"
for folder in var boot home root tmp run; do
    rm -rf "${tree:?}/$folder"
done
mkdir "$tree/var" "$tree/boot" "$tree/run" "$tree/tmp" "$tree/sysroot"
ln -s var/home "$tree/home"
ln -s var/roothome "$tree/root"
ln -s sysroot/ostree "$tree/ostree"
no_younger

mkdir sysroot
ostree admin init-fs --modern sysroot
ostree admin os-init --sysroot=sysroot fedora-coreos > ostree.log 2>&1
ostree --repo=sysroot/ostree/repo config set core.mode bare
ostree --repo=sysroot/ostree/repo config set sysroot.bootloader none
ostree --repo=sysroot/ostree/repo commit --branch=fedora:fedora/x86_64/coreos/stable --tree=dir="$tree" --timestamp="@$SOURCE_DATE_EPOCH" \
    --add-metadata-string=version=42.20250609.3.0 > commit 2>> ostree.log || { cat ostree.log; exit 1; }
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b8e0
ostree admin deploy --sysroot=sysroot --os=fedora-coreos --karg=root=UUID=${uuid}4 --karg=rw --karg=ignition.platform.id=qemu \
    --karg=boot=UUID=${uuid}3 --karg='$ignition_firstboot' fedora:fedora/x86_64/coreos/stable >> ostree.log 2>&1 || { cat ostree.log; exit 1; }
# ostree protects a deployment, as far as it may; nobody could remove it afterwards.
chattr -i sysroot/ostree/deploy/fedora-coreos/deploy/*.0 2> /dev/null || true
touch sysroot/boot/ignition.firstboot
mkdir -p sysroot/boot/grub2
printf 'search --label boot --set boot\nset root=$boot\nif [ -f ${prefix}/user.cfg ]; then\n  source ${prefix}/user.cfg\nfi\nblscfg\n' > sysroot/boot/grub2/grub.cfg
mv sysroot/boot boot
mkdir sysroot/boot
find sysroot/ostree/deploy/fedora-coreos/deploy -name '*.origin' | grep -q .

mkdir -p EFI/fedora EFI/BOOT
printf 'MZ' > EFI/BOOT/BOOTX64.EFI
printf 'search --label boot --set prefix\nset prefix=($prefix)/grub2\n' > EFI/fedora/grub.cfg
table disk.raw 300 << TABLE
label: gpt
label-id: ${uuid}0
1: start=2048, size=2048, type=21686148-6449-6E6F-744E-656564454649, name="BIOS-BOOT"
2: start=4096, size=65536, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, name="EFI-SYSTEM"
3: start=69632, size=131072, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="boot"
4: start=200704, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="root"
TABLE
truncate -s 32M efi.vfat
mkfs.vfat --invariant -n EFI-SYSTEM efi.vfat > efi.log
MTOOLS_SKIP_CHECK=1 mcopy -s -i efi.vfat EFI ::
ext ext4 boot.ext4 64 boot ${uuid}3 boot
# Fedora's own images have XFS here; ext4, as ccloud³ wants it, comes by an ignition file that asks for it.
ext ext4 root.ext4 200 root ${uuid}4 sysroot
place efi.vfat disk.raw 2
place boot.ext4 disk.raw 34
place root.ext4 disk.raw 98
expect_table disk.raw
expect root '{"filesystem": "ext4", "partition": 4, "layers": []}'
finish
