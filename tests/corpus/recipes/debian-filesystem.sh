# Runs as mmdebstrap's customize hook with /bin/sh, "$1" being the new system's root: as root or, for a normal user, inside a user namespace
# that looks like root. Everything it makes is put into "$1/tmp/fixture", from where mmdebstrap's own `download` hook fetches it.
# From the outside: SOURCE_DATE_EPOCH, ROOT_MIB (size of the root filesystem), ROOT_UUID.
set -eu
root=$1
work=$root/tmp/fixture
stage=$work/stage
mkdir -p "$stage"

# What Debian's own tools and cloud-init's own code say about this system; the reader is held against it.
chroot "$root" python3 -B /tmp/debian-inspect.py facts > "$work/facts.tsv"
# The same system with a drop-in that puts ConfigDrive first, to be added to a copy of the image later.
cp "$root/tmp/debian-99-ccloud.cfg" "$root/etc/cloud/cloud.cfg.d/99-ccloud.cfg"
chroot "$root" python3 -B /tmp/debian-inspect.py facts > "$work/configdrive-first.tsv"
rm "$root/etc/cloud/cloud.cfg.d/99-ccloud.cfg"

# A copy, because file systems are mounted into "$root" while hooks run.
tar -C "$root" --one-file-system --numeric-owner --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' --exclude='./run/*' \
    --exclude='./tmp/*' --exclude='./var/lib/apt/lists/*' --exclude='./var/cache/apt/*' --exclude='./var/cache/ldconfig/*' \
    --exclude='./var/cache/debconf/*-old' --exclude='./var/lib/dpkg/*-old' --exclude='./var/log/*' \
    --exclude='./etc/apt/sources.list' --exclude='./etc/apt/apt.conf.d/*mmdebstrap' --exclude='./etc/ssh/ssh_host_*' -cf - . \
    | tar -C "$stage" --numeric-owner -xpf -

# As a cloud image is handed out: no name, no identity, no keys, no trace of the machine that built it.
: > "$stage/etc/machine-id"
: > "$stage/etc/resolv.conf"
echo localhost > "$stage/etc/hostname"
if [ ! -s "$stage/etc/fstab" ] || ! grep -q '^[^#]' "$stage/etc/fstab"; then
    printf 'LABEL=root / ext4 rw,discard,errors=remount-ro 0 1\n' > "$stage/etc/fstab"
fi
rm -f "$stage/var/lib/dbus/machine-id"
# In a user namespace what is mounted there belongs to nobody.
chown 0:0 "$stage/proc" "$stage/sys"

# Younger than the epoch is only what this build wrote.
find "$stage" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -hcd "@$SOURCE_DATE_EPOCH" {} +

# The truth for the reader of ext4: every name with its kind, owner, size and digest, as the kernel shows it.
chroot "$root" python3 -B /tmp/debian-inspect.py files /tmp/fixture/stage > "$work/files.jsonl"

truncate -s "${ROOT_MIB}M" "$work/root.ext4"
E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH mke2fs -q -t ext4 -L root -U "$ROOT_UUID" -E "hash_seed=$ROOT_UUID" -d "$stage" "$work/root.ext4"

# The same without what no reader looks at, for the images whose layout is the question: libraries, most programs, most of Python.
tar -C "$stage" --numeric-owner --no-wildcards-match-slash --exclude='./usr/lib/x86_64-linux-gnu/*' --exclude='./usr/lib/python3.*' \
    --exclude='./usr/lib/python3/dist-packages/[!c]*' --exclude='./usr/lib/python3/dist-packages/c[!l]*' --exclude='./usr/share/*' \
    --exclude='./usr/bin/[!cs]*' --exclude='./usr/lib/modules/*' --exclude='./usr/lib/udev/*' --exclude='./var/cache/*' \
    --exclude='./var/lib/dpkg/info/*' --exclude='./boot/*' -cf "$work/slim.tar" .
rm -r "$stage"
