# CirrOS as it is handed out: on the disk stand a kernel, an initramfs and GRUB; the system is unpacked there at the first boot.
. "$RECIPES/lib.sh"
. "$RECIPES/system.sh"
mkdir -p initramfs/bin initramfs/sbin initramfs/etc/cirros
program /boot/busybox
mv "$tree/boot/busybox" initramfs/bin/busybox
ln -s ../bin/busybox initramfs/sbin/init
printf 'PRETTY_NAME="CirrOS 0.6.2"\nNAME="CirrOS"\nVERSION_ID="0.6.2"\nID=cirros\nHOME_URL="https://cirros-cloud.net"\n' > initramfs/etc/os-release
echo 0.6.2 > initramfs/etc/cirros/version
: > expected.tsv
mkdir -p "$tree/boot/grub"
(cd initramfs && find . | sort | cpio --quiet -o -H newc) | gzip -n > "$tree/boot/initrd.img-5.15.0-71-generic"
printf 'MZ' > "$tree/boot/vmlinuz-5.15.0-71-generic"
ln -s boot/vmlinuz-5.15.0-71-generic "$tree/vmlinuz"
ln -s boot/initrd.img-5.15.0-71-generic "$tree/initrd.img"
printf 'set timeout=0\nmenuentry "linux" {\n\tlinux /vmlinuz root=LABEL=cirros-rootfs ro console=tty1 console=ttyS0\n\tinitrd /initrd.img\n}\n' > "$tree/boot/grub/grub.cfg"
gpt_disk 80 cirros-rootfs ext3
expect system '{"unknown": "system_unpacked_at_boot"}'
# What its filesystem holds is not the system.
expect space '{"unknown": "system_unpacked_at_boot"}'
finish
