# Runs as mmdebstrap's customize hook before debian-filesystem.sh: GRUB for BIOS and UEFI with the configuration that grub-mkconfig makes, as on
# Debian's own cloud images. What stands outside of the root filesystem goes to "$1/tmp/fixture/boot.tar".
# From the outside: ROOT_UUID.
set -eu
root=$1
mkdir -p "$root/tmp/fixture/boot"

printf 'UUID=%s / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1\nUUID=E0F1-0001 /boot/efi vfat defaults 0 0\n' "$ROOT_UUID" > "$root/etc/fstab"
mkdir -p "$root/boot/efi" "$root/etc/default/grub.d"
printf 'GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200 consoleblank=0"\nGRUB_TIMEOUT=0\n' > "$root/etc/default/grub.d/15_cloud.cfg"
printf 'network:\n  version: 2\n  ethernets:\n    all-en:\n      match:\n        name: en*\n      dhcp4: true\n' > "$root/etc/netplan/90-default.yaml"

# grub-mkconfig asks grub-probe where / is. Here it stands on no disk yet, so that what is asked is answered as the disk will be.
mv "$root/usr/sbin/grub-probe" "$root/tmp/grub-probe"
cat > "$root/usr/sbin/grub-probe" << PROBE
#!/bin/sh
case "\$*" in
*fs_uuid*) echo "$ROOT_UUID" ;;
*partuuid*) echo "$ROOT_UUID" ;;
*target=device*) echo /dev/vda1 ;;
*partmap*) echo gpt ;;
*compatibility_hint*) echo hd0,gpt1 ;;
*hints_string*) echo --hint-bios=hd0,gpt1 ;;
*drive*) echo '(hd0,gpt1)' ;;
*target=fs*) echo ext2 ;;
*abstraction*) ;;
esac
PROBE
chmod 755 "$root/usr/sbin/grub-probe"
mkdir -p "$root/boot/grub"
mkdir -p "$root/dev/disk/by-uuid"
: > "$root/dev/disk/by-uuid/$ROOT_UUID"
chroot "$root" grub-mkconfig -o /boot/grub/grub.cfg > "$root/tmp/grub.log" 2>&1 || { cat "$root/tmp/grub.log" >&2; exit 1; }
rm -r "$root/dev/disk"
mv "$root/tmp/grub-probe" "$root/usr/sbin/grub-probe"
grep -q "root=UUID=$ROOT_UUID" "$root/boot/grub/grub.cfg"

# What grub-install makes, without the disk that it wants to put it on.
chroot "$root" grub-mkimage -O i386-pc -o /tmp/fixture/boot/core.img -p '(hd0,gpt1)/boot/grub' biosdisk part_gpt ext2
mkdir -p "$root/boot/grub/i386-pc" "$root/tmp/fixture/boot/EFI/BOOT" "$root/tmp/fixture/boot/EFI/debian"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/tmp/fixture/boot/boot.img"
cp "$root/usr/lib/grub/i386-pc/boot.img" "$root/usr/lib/grub/i386-pc/normal.mod" "$root/usr/lib/grub/i386-pc/linux.mod" "$root/boot/grub/i386-pc/"
chroot "$root" grub-mkimage -O x86_64-efi -o /tmp/fixture/boot/EFI/BOOT/BOOTX64.EFI -p /EFI/debian \
    part_gpt ext2 fat normal linux configfile search search_fs_uuid
cp "$root/tmp/fixture/boot/EFI/BOOT/BOOTX64.EFI" "$root/tmp/fixture/boot/EFI/debian/grubx64.efi"
printf 'search.fs_uuid %s root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' "$ROOT_UUID" > "$root/tmp/fixture/boot/EFI/debian/grub.cfg"
# Where the driver of the disk is: in the initramfs, built into the kernel, or in neither.
kernel=$(ls "$root/lib/modules")
if chroot "$root" lsinitramfs "/boot/initrd.img-$kernel" | grep -q '/virtio_blk\.ko'; then
    echo initramfs
elif grep -q '/virtio_blk\.ko' "$root/lib/modules/$kernel/modules.builtin"; then
    echo built_in
else
    echo missing
fi > "$root/tmp/fixture/boot/virtio"
tar -C "$root/tmp/fixture/boot" -cf "$root/tmp/fixture/boot.tar" .
