# What the recipes share. Sourced by /bin/sh; the working directory is empty and thrown away afterwards, what is to be kept goes to "$OUT".
# From the outside: NAME (of the image), OUT (where the images are), RECIPES (this folder).
set -eu

# Every time stamp inside the images: 2026-11-01, so that the same packages give the same bytes.
SOURCE_DATE_EPOCH=1793491200
E2FSPROGS_FAKE_TIME=$SOURCE_DATE_EPOCH
LC_ALL=C.UTF-8
TZ=UTC
export SOURCE_DATE_EPOCH E2FSPROGS_FAKE_TIME LC_ALL TZ

# table DISK MIB [SFDISK OPTION…] < SCRIPT: a disk with this partition table.
table() {
    table_disk=$1
    truncate -s "${2}M" "$1"
    shift 2
    sfdisk --quiet --no-reread "$@" "$table_disk"
}

# place PART DISK MIB: writes a part into the disk, leaving holes where there are only zeros.
place() {
    dd if="$1" of="$2" bs=64K seek="${3}M" oflag=seek_bytes conv=sparse,notrunc status=none
}

# ext TYPE FILE MIB LABEL UUID TREE [MKE2FS OPTION…]: a filesystem with everything under TREE.
ext() {
    ext_type=$1 ext_file=$2 ext_label=$4 ext_uuid=$5 ext_tree=$6
    truncate -s "${3}M" "$2"
    shift 6
    mke2fs -q -t "$ext_type" -L "$ext_label" -U "$ext_uuid" -E "hash_seed=$ext_uuid" -d "$ext_tree" "$@" "$ext_file"
}

# expect FACT JSON: what the reader must find; FACT is a path like system.version.
expect() {
    printf '%s\t%s\n' "$1" "$2" >> expected.tsv
}

# expect_text FACT TEXT
expect_text() {
    expect "$1" "$(printf '%s' "$2" | python3 -c 'import json, sys; print(json.dumps(sys.stdin.read()))')"
}

# expect_table DISK: table and partitions as sfdisk reads them.
expect_table() {
    python3 "$RECIPES/expect.py" table "$1" >> expected.tsv
}

# expect_space EXT: size and free space of the root as dumpe2fs tells them.
expect_space() {
    dumpe2fs -h "$1" 2> /dev/null | awk -F': *' '
        $1 == "Block count" { blocks = $2 }
        $1 == "Free blocks" { free = $2 }
        $1 == "Block size" { size = $2 }
        END { printf "space.total\t%.0f\nspace.free\t%.0f\n", blocks * size, free * size }' >> expected.tsv
}

# expectations FILE: writes what was expected so far.
expectations() {
    python3 "$RECIPES/expect.py" write < expected.tsv > "$1"
}
