# Makes lvm.head.xz: the first MiB of a physical volume, which the recipe `debian-lvm` puts before its extents. Run by hand, as root, in this
# folder; lvm works on block devices only, which a normal user cannot make and a recipe therefore does not.
set -eu
disk=$(mktemp)
truncate -s 208M "$disk"
device=$(losetup --find --show "$disk")
trap 'losetup --detach "$device"; rm -f "$disk"' EXIT
config="devices { filter = [ \"a|^$device\$|\", \"r|.*|\" ] use_devicesfile = 0 } global { use_lvmpolld = 0 } activation { udev_sync = 0 udev_rules = 0 monitoring = 0 }"
lvm pvcreate --quiet --config "$config" --dataalignment 1m "$device"
lvm vgcreate --quiet --config "$config" debian-vg "$device"
# Extents of 4 MiB: root, swap behind it, then root grown by what comes after the swap.
for step in "lvcreate --name root --extents 16" "lvcreate --name swap_1 --extents 4"; do
    # shellcheck disable=SC2086
    lvm $step --driverloaded n --quiet --config "$config" --activate n --zero n --wipesignatures n debian-vg
done
lvm lvextend --driverloaded n --quiet --config "$config" --extents +24 debian-vg/root
lvm lvs --driverloaded n --config "$config" --segments -o lv_name,seg_size,seg_pe_ranges
sync
head -c 1M "$disk" | xz -9 > lvm.head.xz
sha256sum lvm.head.xz > lvm.head.sha256
