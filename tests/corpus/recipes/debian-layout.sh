# debian-layout.sh LAYOUT: the Debian 12 on disks that are laid out differently.
. "$RECIPES/lib.sh"
. "$RECIPES/debian-slim.sh"
layout=$1
uuid=6d0a7b52-3a55-4a4d-8c61-0f4f5d9b3e0
linux=0FC63DAF-8483-4772-8E79-3D69D8477DE4

# root_of MIB [MKE2FS OPTION…]: ./root.ext4, named as the fstab of the image says.
root_of() {
    root_of_mib=$1
    shift
    ext ext4 root.ext4 "$root_of_mib" root "${uuid}2" tree "$@"
}

case $layout in
no-table)
    # As Alpine's own images are; ccloud³ wants a partition table of a raw disk.
    root_of 160
    expect_space root.ext4
    mv root.ext4 disk.raw
    expect table '{"kind": "none", "sector_size": 512}'
    expect root '{"filesystem": "ext4", "partition": null, "layers": []}'
    ;;
mbr-logical)
    # As installers lay disks out by hand: swap first, the system in the extended partition.
    root_of 160
    expect_space root.ext4
    table disk.raw 200 << TABLE
label: dos
label-id: 0x6d0a7b52
1: start=2048, size=16384, type=82
2: start=18432, type=5
5: start=20480, size=16384, type=83
6: start=38912, size=$((160 * 2048)), type=83
TABLE
    truncate -s 8M swap
    mkswap --quiet --uuid "${uuid}6" swap
    place swap disk.raw 1
    mkdir home
    ext ext2 home.ext2 8 home "${uuid}5" home
    place home.ext2 disk.raw 10
    place root.ext4 disk.raw 19
    expect_table disk.raw
    expect root '{"filesystem": "ext4", "partition": 6, "layers": []}'
    ;;
4k)
    # A disk of 4096-byte sectors: every number in its table counts those.
    root_of 160 -b 4096
    expect_space root.ext4
    truncate -s 200M disk.raw
    python3 "$RECIPES/gpt4k.py" disk.raw 512 "$((160 * 256))" "${uuid}1" "${uuid}7"
    place root.ext4 disk.raw 2
    expect table.kind '"gpt"'
    expect table.sector_size 4096
    expect table.partitions "[{\"number\": 1, \"offset\": $((2 << 20)), \"len\": $((160 << 20)), \"type_id\": \"0fc63daf-8483-4772-8e79-3d69d8477de4\"}]"
    expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
    ;;
backup-gpt)
    root_of 160
    expect_space root.ext4
    table disk.raw 170 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((160 * 2048)), type=$linux, uuid=${uuid}7
TABLE
    place root.ext4 disk.raw 1
    expect_table disk.raw
    expect table.from_backup true
    expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
    # The primary header and its entries, as a program that writes to a disk's beginning leaves them.
    dd if=/dev/urandom of=disk.raw bs=512 seek=1 count=33 conv=notrunc status=none
    ;;
dirty-journal)
    # Copied from a running machine: what decides, a drop-in that puts ConfigDrive first, stands in the journal only.
    root_of 160 -b 4096
    cp --sparse=always root.ext4 changed.ext4
    printf 'cd /etc/cloud/cloud.cfg.d\nlcd %s\nwrite debian-99-ccloud.cfg 99-ccloud.cfg\n' "$RECIPES" > change.debugfs
    debugfs -w -f change.debugfs changed.ext4 2> change.log
    test "$(wc -l < change.log)" -eq 1
    # Every block that the change touched, written by debugfs as one transaction into the journal of the unchanged filesystem.
    python3 "$RECIPES/into-journal.py" root.ext4 changed.ext4 > journal.debugfs
    debugfs -w -f journal.debugfs root.ext4 > journal.log 2>&1
    dumpe2fs -h root.ext4 2> /dev/null | grep -q needs_recovery
    # What e2fsck makes of it is what a kernel would see.
    cp --sparse=always root.ext4 recovered.ext4
    e2fsck -fy recovered.ext4 > e2fsck.log 2>&1 || test $? -eq 1
    debugfs -R 'cat /etc/cloud/cloud.cfg.d/99-ccloud.cfg' recovered.ext4 2> /dev/null | cmp - "$RECIPES/debian-99-ccloud.cfg"
    table disk.raw 170 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((160 * 2048)), type=$linux, uuid=${uuid}7
TABLE
    place root.ext4 disk.raw 1
    expect_table disk.raw
    expect datasources '["ConfigDrive", "NoCloud", "None"]'
    expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
    ;;
split)
    # /usr, /var and /boot of their own, by UUID, by label and by the partition's UUID.
    fstab << FSTAB
UUID=${uuid}2 / ext4 errors=remount-ro 0 1
LABEL=usr /usr ext4 defaults 0 2
PARTUUID=${uuid}9 /var ext4 defaults 0 2
UUID=${uuid}4 /boot ext2 defaults 0 2
UUID=${uuid}6 none swap sw 0 0
FSTAB
    mkdir usr var boot
    for part in usr var boot; do
        rmdir "$part"
        mv "tree/$part" "$part"
        mkdir "tree/$part"
        touch -d "@$SOURCE_DATE_EPOCH" "tree/$part"
    done
    ext ext4 root.ext4 40 root "${uuid}2" tree
    expect_space root.ext4
    ext ext4 usr.ext4 160 usr "${uuid}3" usr
    ext ext4 var.ext4 64 var "${uuid}5" var
    ext ext2 boot.ext2 16 boot "${uuid}4" boot
    table disk.raw 300 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((40 * 2048)), type=$linux, uuid=${uuid}7
2: start=$((41 * 2048)), size=$((160 * 2048)), type=$linux, uuid=${uuid}8
3: start=$((201 * 2048)), size=$((64 * 2048)), type=$linux, uuid=${uuid}9
4: start=$((265 * 2048)), size=$((16 * 2048)), type=$linux, uuid=${uuid}a
5: start=$((281 * 2048)), size=$((8 * 2048)), type=0657FD6D-A4AB-43C4-84E5-0933C84B4F4F, uuid=${uuid}b
TABLE
    truncate -s 8M swap
    mkswap --quiet --uuid "${uuid}6" swap
    place root.ext4 disk.raw 1
    place usr.ext4 disk.raw 41
    place var.ext4 disk.raw 201
    place boot.ext2 disk.raw 265
    place swap disk.raw 281
    expect_table disk.raw
    expect root '{"filesystem": "ext4", "partition": 1, "layers": []}'
    ;;
lvm)
    # A physical volume whose metadata the real lvm wrote: root in two pieces, swap between them (lvm.sh).
    fstab << 'FSTAB'
/dev/mapper/debian--vg-root / ext4 errors=remount-ro 0 1
/dev/mapper/debian--vg-swap_1 none swap sw 0 0
FSTAB
    ext ext4 root.ext4 160 root "${uuid}2" tree
    expect_space root.ext4
    table disk.raw 210 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((208 * 2048)), type=E6D6D379-F507-44C2-A23C-238F2A3DF928, uuid=${uuid}7
TABLE
    xz -dc "$RECIPES/lvm.head.xz" > lvm.head
    place lvm.head disk.raw 1
    # Extents of 4 MiB from the first MiB of the partition on: 16 of root, 4 of swap, the other 24 of root.
    head -c 64M root.ext4 > first
    tail -c +$(((64 << 20) + 1)) root.ext4 > second
    place first disk.raw 2
    place second disk.raw $((2 + 64 + 16))
    truncate -s 16M swap
    mkswap --quiet --uuid "${uuid}6" swap
    place swap disk.raw $((2 + 64))
    expect_table disk.raw
    expect root '{"filesystem": "ext4", "partition": 1, "layers": ["lvm"]}'
    ;;
luks)
    # Encrypted by cryptsetup itself; with a cheap key derivation, since nobody's secret is in it.
    root_of 160
    truncate -s 176M root.ext4
    printf secret | cryptsetup reencrypt --batch-mode --encrypt --type luks2 --reduce-device-size 16M --pbkdf pbkdf2 \
        --pbkdf-force-iterations 1000 --uuid "${uuid}8" --key-file - root.ext4
    table disk.raw 180 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((176 * 2048)), type=$linux, uuid=${uuid}7
TABLE
    place root.ext4 disk.raw 1
    : > expected.tsv
    expect_table disk.raw
    expect root '{"unknown": "root_inside_layer"}'
    expect system '{"unknown": "root_inside_layer"}'
    ;;
xfs | btrfs | f2fs)
    truncate -s 320M "root.$layout"
    case $layout in
    xfs)
        python3 "$RECIPES/xfs-proto.py" tree > proto
        mkfs.xfs -q -L root -m "uuid=${uuid}2" -p proto "root.$layout"
        ;;
    btrfs) mkfs.btrfs -q -L root -U "${uuid}2" --rootdir tree "root.$layout" ;;
    # Its tool takes no files: what matters is that the filesystem is called by its name.
    f2fs) mkfs.f2fs -q -l root -U "${uuid}2" "root.$layout" ;;
    esac
    table disk.raw 330 << TABLE
label: gpt
label-id: ${uuid}1
1: start=2048, size=$((320 * 2048)), type=$linux, uuid=${uuid}7
TABLE
    place "root.$layout" disk.raw 1
    : > expected.tsv
    expect_table disk.raw
    expect root "{\"filesystem\": \"$layout\", \"partition\": 1, \"layers\": []}"
    ;;
*)
    echo "no such layout: $layout" >&2
    exit 1
    ;;
esac
finish
