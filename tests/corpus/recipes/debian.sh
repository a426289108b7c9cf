# debian.sh SUITE [kernel]: a Debian as it is handed out for clouds, laid out as Debian's own images are. `kernel` also installs a kernel, its
# initramfs and GRUB for BIOS and UEFI; to be read, the others need none, and it would take three times their space.
. "$RECIPES/lib.sh"
suite=$1
with_kernel=${2:-}

disk_mib=1536
# The order on the disk is that of Debian's own cloud images: 14 (BIOS boot), 15 (EFI), then 1 (root) up to the end.
efi_start=4 efi_mib=16 root_start=20
# Leaves the last MiB to the backup of the partition table.
root_mib=$((disk_mib - root_start - 1))
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b1e0
ROOT_MIB=$root_mib ROOT_UUID=${uuid}2
export ROOT_MIB ROOT_UUID

# What makes it a cloud image: configured at its first start, reached by SSH.
packages=systemd-sysv,cloud-init,openssh-server
if [ "$with_kernel" ]; then
    packages=$packages,linux-image-cloud-amd64,initramfs-tools,zstd,grub-pc-bin,grub-efi-amd64-bin,grub2-common,netplan.io,sudo,cloud-guest-utils
fi

set -- --mode=auto --variant=minbase --format=null --quiet --include="$packages"
for left_out in '/usr/share/doc/*' '/usr/share/locale/*' '/usr/share/man/*'; do
    set -- "$@" "--dpkgopt=path-exclude=$left_out"
done
for sent in expect.py debian-inspect.py debian-99-ccloud.cfg; do
    set -- "$@" "--customize-hook=upload '$RECIPES/$sent' /tmp/$sent"
done
if [ "$with_kernel" ]; then
    set -- "$@" "--customize-hook=$(cat "$RECIPES/debian-kernel.sh")"
fi
set -- "$@" "--customize-hook=$(cat "$RECIPES/debian-filesystem.sh")"
for fetched in root.ext4 facts.tsv files.jsonl configdrive-first.tsv slim.tar; do
    set -- "$@" "--customize-hook=download /tmp/fixture/$fetched '$PWD/$fetched'"
done
if [ "$with_kernel" ]; then
    set -- "$@" "--customize-hook=download /tmp/fixture/boot.tar '$PWD/boot.tar'"
fi
mmdebstrap "$@" "$suite" -

table disk.raw "$disk_mib" << TABLE
label: gpt
label-id: ${uuid}1
sector-size: 512
1: start=$((root_start * 2048)), size=$((root_mib * 2048)), type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709, uuid=${uuid}2
14: start=2048, size=6144, type=21686148-6449-6E6F-744E-656564454649, uuid=${uuid}3
15: start=$((efi_start * 2048)), size=$((efi_mib * 2048)), type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B, uuid=${uuid}4
TABLE
truncate -s "${efi_mib}M" efi.vfat
mkfs.vfat --invariant -i E0F10001 -n EFI efi.vfat > efi.log
if [ "$with_kernel" ]; then
    tar -xf boot.tar
    MTOOLS_SKIP_CHECK=1 mcopy -s -i efi.vfat EFI ::
    # What grub-install does with the disk's first sector and the BIOS boot partition, which is one of a device and not of a file.
    python3 "$RECIPES/grub-bios.py" disk.raw boot.img core.img 2048
fi
place efi.vfat disk.raw "$efi_start"
place root.ext4 disk.raw "$root_start"

cp facts.tsv expected.tsv
expect_table disk.raw
expect_space root.ext4
if [ "$with_kernel" ]; then
    expect boot.bios true
    expect boot.uefi true
    expect boot.root "[\"UUID=${uuid}2\"]"
    # lsinitramfs lists them (debian-kernel.sh asks it).
    expect boot.virtio_blk "\"$(cat virtio)\""
fi
expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
expectations "$OUT/$NAME.expected.json"
mv files.jsonl "$OUT/$NAME.files.jsonl"
qemu-img convert -f raw -O qcow2 disk.raw "$OUT/$NAME.qcow2"
# changed NAME FACTS < COMMANDS: the same disk after these debugfs commands.
changed() {
    qemu-img convert -f raw -O raw disk.raw variant.raw
    cat > variant.debugfs
    # libext2fs takes the filesystem's place from the name; debugfs ends with 0 whatever its commands did, but says what went wrong.
    debugfs -w -f variant.debugfs "variant.raw?offset=$((root_start << 20))" 2> variant.errors > variant.log
    if [ "$(wc -l < variant.errors)" -gt 1 ]; then
        cat variant.errors >&2
        exit 1
    fi
    qemu-img convert -f raw -O qcow2 variant.raw "$OUT/$1.qcow2"
    cp "$2" expected.tsv
    expect_table variant.raw
    expectations "$OUT/$1.expected.json"
    rm variant.raw
}
# What the report of the Debian with a kernel advises: nothing is left to be told of it then.
if [ "$with_kernel" ]; then
    changed configdrive-first configdrive-first.tsv << COMMANDS
lcd "$RECIPES"
cd /etc/cloud/cloud.cfg.d
write debian-99-ccloud.cfg 99-ccloud.cfg
COMMANDS
fi
if [ "$NAME" != debian-12 ]; then
    exit
fi

# Debian 12 is also the base of images that differ from it in one thing.
sed 's/^sshd.enabled\t.*/sshd.enabled\tfalse/' facts.tsv > no-sshd.tsv
changed no-sshd no-sshd.tsv << 'COMMANDS'
rm /etc/systemd/system/multi-user.target.wants/ssh.service
rm /etc/systemd/system/sshd.service
COMMANDS
mv slim.tar "$OUT/debian-12.slim.tar"
cp facts.tsv "$OUT/debian-12.facts.tsv"
qemu-img convert -f raw -c -O qcow2 disk.raw "$OUT/debian-12-compressed.qcow2"
mv disk.raw "$OUT/debian-12.raw"
printf 'This is a text file whose name promises a disk image.\n' > "$OUT/notes.img"
: > "$OUT/empty.img"
